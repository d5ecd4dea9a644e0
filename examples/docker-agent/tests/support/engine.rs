//! The engine of a test: the one of `DOCKER_HOST`, or one of the test's own.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use docker_agent::engine::Engine;
use rustix::mount::{MountFlags, mount};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

/// The image of one static program that `.ci/docker` makes.
pub(crate) const IMAGE: &str = "onward-test/busybox:1";

/// The engine in `DOCKER_HOST`. Without one the test is reported as skipped.
pub(crate) fn engine(test: &str) -> Option<Engine> {
    if std::env::var_os("DOCKER_HOST").is_some_and(|host| !host.is_empty()) {
        return Some(Engine::from_env());
    }
    skip(test, "DOCKER_HOST is not set; run it with .ci/docker run");
    None
}

fn skip(test: &str, why: &str) {
    // Past the test harness, which shows the output of a failed test only.
    std::io::stderr().write_all(format!("skipped: {test} ({why})\n").as_bytes()).unwrap();
}

/// An engine that a test starts, stops and kills.
pub(crate) struct OwnEngine {
    dir: TempDir,
}

impl OwnEngine {
    /// Starts an engine. Without `DOCKER_HOST`, the machine is not asked for one either, and the
    /// test is reported as skipped.
    pub(crate) fn start(test: &str, flags: &[&str]) -> Option<Self> {
        engine(test)?;
        let own = Self { dir: TempDir::new().unwrap() };
        own.start_again(flags);
        Some(own)
    }

    /// Starts an engine whose data are on a disk of 24 MiB.
    pub(crate) fn start_on_small_disk(test: &str) -> Option<Self> {
        engine(test)?;
        let own = Self { dir: TempDir::new().unwrap() };
        let data = own.dir().join("data");
        fs::create_dir(&data).unwrap();
        mount(c"small", &data, c"tmpfs", MountFlags::empty(), c"size=24m").unwrap();
        own.start_again(&[]);
        Some(own)
    }

    /// Starts it again, after `stop` or `kill`.
    pub(crate) fn start_again(&self, flags: &[&str]) {
        self.script("start", flags);
    }

    /// Stops it in its own good time.
    pub(crate) fn stop(&self) {
        self.script("stop", &[]);
    }

    /// Kills it.
    pub(crate) fn kill(&self) {
        self.script("kill", &[]);
    }

    /// How it is reached.
    pub(crate) fn engine(&self) -> Engine {
        Engine::new(format!("unix://{}/docker.sock", self.dir.path().display()))
    }

    /// Runs a job in the engine's network, in a thread of its own: it does not come back.
    pub(crate) fn in_its_network<T: Send>(&self, job: impl FnOnce() -> T + Send) -> T {
        let network = File::open(self.dir().join("net")).unwrap();
        let enter = || {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            job()
        };
        thread::scope(|scope| scope.spawn(enter).join().unwrap())
    }

    /// The directory with all that it has.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn script(&self, command: &str, flags: &[&str]) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.ci/docker");
        let mut script = Command::new(script);
        let done = script.arg(command).arg(self.dir.path()).args(flags).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), ".ci/docker {command} has failed: {told}");
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.script("remove", &[]);
    }
}

impl OwnEngine {
    /// Runs a line in a container's shell.
    pub(crate) fn exec(&self, container: &str, line: &str) -> String {
        exec_at(self.engine().host(), container, line, "")
    }
}

/// Runs a line in a container's shell as this user, on the engine of `DOCKER_HOST`.
pub(crate) fn exec(container: &str, line: &str, user: &str) -> String {
    exec_at(Engine::from_env().host(), container, line, user)
}

fn exec_at(host: &str, container: &str, line: &str, user: &str) -> String {
    let mut docker = Command::new("docker");
    docker.args(["--host", host, "exec", "--user", user, container, "/bin/sh", "-c", line]);
    let done = docker.output().unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}
