//! Messages of a real manager; `data/README.md` says where they are from.

use std::fs;
use std::path::Path;

use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;
use swarm_worker::wire::DESCRIPTOR;

#[test]
fn every_recorded_message_has_the_fields_of_its_json() {
    let pool = DescriptorPool::decode(DESCRIPTOR).unwrap();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let expected: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let name = format!("docker.swarmkit.v1.{}", expected["message"].as_str().unwrap());
        let message = pool.get_message_by_name(&name).unwrap();
        let bytes = fs::read(path.with_extension("bin")).unwrap();
        let decoded = DynamicMessage::decode(message, &*bytes).unwrap();
        assert_eq!(decoded.unknown_fields().count(), 0, "{}", path.display());
        let options = SerializeOptions::new().use_proto_field_name(true);
        let found =
            decoded.serialize_with_options(serde_json::value::Serializer, &options).unwrap();
        assert_eq!(found, expected["body"], "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 34);
}
