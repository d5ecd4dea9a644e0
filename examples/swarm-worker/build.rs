//! Compiles the messages in `proto/`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use tonic_prost_build::Config;

const FILES: [&str; 3] = ["ca.proto", "dispatcher.proto", "log_broker.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let messages = protox::compile(FILES, ["proto"])?;
    // The tests read recorded messages with it.
    let descriptor = PathBuf::from(env::var("OUT_DIR")?).join("descriptor.bin");
    fs::write(descriptor, prost::Message::encode_to_vec(&messages))?;
    let mut config = Config::new();
    config.btree_map(["."]);
    // The largest members of their enums.
    config.boxed(".docker.swarmkit.v1.Assignment.item.task");
    config.boxed(".docker.swarmkit.v1.TaskSpec.runtime.container");
    tonic_prost_build::configure().compile_fds_with_config(messages, config)?;
    Ok(())
}
