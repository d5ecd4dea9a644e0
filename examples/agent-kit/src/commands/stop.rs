use std::path::Path;
use std::process::ExitCode;

use crate::program::Program;
use crate::socket::{Request, ask};

pub(super) fn stop(
    program: Program,
    dir: &Path,
    names: Vec<String>,
    wait: bool,
) -> anyhow::Result<ExitCode> {
    for answer in ask(program, dir, &Request::Stop { names, wait })? {
        answer?;
    }
    Ok(ExitCode::SUCCESS)
}
