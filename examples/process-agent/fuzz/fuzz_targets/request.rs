#![no_main]
//! Requests of a client to an agent, and answers of an agent to a client.

use agent_kit::socket::{Answer, Frames, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|sent: &[u8]| {
    match Request::parse(sent) {
        Ok(request) => {
            let json = serde_json::json!({ "version": 1, "request": request });
            assert_eq!(Request::parse(json.to_string().as_bytes()), Ok(request));
        }
        Err(problem) => assert!(!problem.is_empty()),
    }
    let mut frames = Frames::new(sent);
    while let Ok(answer) = frames.read() {
        let length = match answer {
            Answer::Said(message) => message.length,
            _ => 0,
        };
        assert_eq!(frames.text().len() as u64, length);
    }
});
