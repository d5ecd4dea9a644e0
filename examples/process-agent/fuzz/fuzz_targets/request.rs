#![no_main]
//! Lines that a client sends to an agent.

use agent_kit::socket::Request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    match Request::parse(line) {
        Ok(request) => {
            let json = serde_json::json!({ "version": 1, "request": request });
            assert_eq!(Request::parse(json.to_string().as_bytes()), Ok(request));
        }
        Err(problem) => assert!(!problem.is_empty()),
    }
});
