use std::path::Path;
use std::process::ExitCode;

use process_agent::socket::{Request, ask};

pub(crate) fn stop(dir: &Path, names: Vec<String>, wait: bool) -> anyhow::Result<ExitCode> {
    for answer in ask(dir, &Request::Stop { names, wait })? {
        answer?;
    }
    Ok(ExitCode::SUCCESS)
}
