use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use onward::exec::ControllerError;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::definition::{Probe, Readiness};

/// Tries the probe until it succeeds.
///
/// # Errors
///
/// It has not succeeded for as long as the readiness allows; with what the last try said.
///
/// # Cancel safety
///
/// Dropped, a probe that runs is killed.
pub(super) async fn until_ready(
    readiness: &Readiness,
    env: &BTreeMap<String, String>,
    dir: &Path,
) -> Result<(), ControllerError> {
    let mut last = "no try has come to an end".to_owned();
    let tries = async {
        loop {
            match probe(&readiness.probe, env, dir).await {
                Ok(()) => return,
                Err(why) => last = why,
            }
            sleep(readiness.interval).await;
        }
    };
    if timeout(readiness.timeout, tries).await.is_ok() {
        return Ok(());
    }
    let patience = humantime::format_duration(readiness.timeout);
    Err(ControllerError::new(format!("not ready within {patience}: {last}")))
}

async fn probe(probe: &Probe, env: &BTreeMap<String, String>, dir: &Path) -> Result<(), String> {
    match probe {
        Probe::Tcp(address) => match TcpStream::connect(address).await {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{address}: {error}")),
        },
        Probe::Command(command) => {
            let (executable, arguments) = command.split_first().ok_or("the probe is empty")?;
            let mut process = Command::new(executable);
            process.args(arguments).envs(env).current_dir(dir).process_group(0);
            process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let spawned = process.spawn();
            let mut group = Group(spawned.map_err(|error| format!("{executable}: {error}"))?);
            match group.0.wait().await {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(format!("{executable}: {status}")),
                Err(error) => Err(format!("{executable}: {error}")),
            }
        }
    }
}

/// A probe and all that it starts: none of them outlives the try.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // The number is ours until the child has been waited for; then there is none.
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself just now.
            _ = kill_process_group(pid, Signal::KILL);
        }
    }
}
