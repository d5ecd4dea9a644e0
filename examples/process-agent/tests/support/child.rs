//! Child processes of a test, with default signal dispositions and a limit on each wait.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Once, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// The limit of each wait. No test is expected to reach it.
const GUARD: Duration = Duration::from_secs(60);

/// The signals that are ignored if a program such as `nohup` starts the test.
const SIGNALS: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

/// Installs handlers, because a child inherits ignored signals but no handlers.
pub(crate) fn with_default_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
        let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
        for signal in SIGNALS.map(Signal::as_raw) {
            if ignored & (1 << (signal - 1)) != 0 {
                signal_hook::flag::register(signal, Arc::default()).unwrap();
            }
        }
    });
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    ended(command.spawn().unwrap())
}

/// Waits for the end of a child.
#[track_caller]
pub(crate) fn ended(child: Child) -> Output {
    let pid = Pid::from_child(&child);
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(child.wait_with_output()));
    let Ok(output) = told.recv_timeout(GUARD) else {
        _ = kill_process(pid, Signal::KILL);
        panic!("process {} did not end within {GUARD:?}", pid.as_raw_nonzero());
    };
    output.unwrap()
}
