//! An engine that is reached over SSH.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::fs::{self, File, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::engine::{IMAGE, engine};
use support::life::PATIENCE;
use tempfile::TempDir;

/// A server of SSH for the user root, which has the key in its directory.
struct Server {
    dir: TempDir,
    port: u16,
    process: Child,
}

impl Server {
    fn start(engine: &str) -> Self {
        let dir = TempDir::new().unwrap();
        for key in ["host", "user"] {
            let mut make = Command::new("ssh-keygen");
            make.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.path().join(key));
            assert!(make.status().unwrap().success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = dir.path().display();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {path}/host\nAuthorizedKeysFile {path}/user.pub\n\
             StrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\nSetEnv DOCKER_HOST={engine}\n"
        );
        fs::write(dir.path().join("sshd_config"), config).unwrap();
        // The directory of its processes without rights.
        fs::create_dir_all("/run/sshd").unwrap();
        let mut server = Command::new("/usr/sbin/sshd");
        server.arg("-D").arg("-f").arg(dir.path().join("sshd_config")).stderr(Stdio::null());
        let process = server.spawn().expect("sshd is missing; .ci/docker install installs it");
        let started = Self { dir, port, process };
        let given_up = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < given_up, "the server of SSH does not listen");
            sleep(Duration::from_millis(50));
        }
        started
    }

    /// Makes a command `ssh` that knows the server as `far`, and no other files of the user. Its
    /// connections end soon after their last use.
    fn client(&self) -> &Path {
        let (path, port) = (self.dir.path(), self.port);
        let shown = path.display();
        let config = format!(
            "Host far\nHostName 127.0.0.1\nPort {port}\nUser root\nIdentityFile {shown}/user\n\
             UserKnownHostsFile {shown}/known\n"
        );
        fs::write(path.join("config"), config).unwrap();
        let ssh = format!("exec /usr/bin/ssh -F {shown}/config -o ControlPersist=2");
        fs::write(path.join("ssh"), format!("#!/bin/sh\n{ssh} \"$@\"\n")).unwrap();
        fs::set_permissions(path.join("ssh"), Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

#[test]
fn a_container_runs_on_an_engine_that_is_reached_over_ssh() {
    let Some(engine) = engine("a_container_runs_on_an_engine_that_is_reached_over_ssh") else {
        return;
    };
    let server = Server::start(engine.host());
    let home = TempDir::new().unwrap();
    let script = "args = ['sh', '-c', 'echo said over there; exit 3']";
    let file = format!("[[task]]\nname = 'far'\nimage = '{IMAGE}'\n{script}\n");
    fs::write(home.path().join("tasks.toml"), file).unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = File::create(home.path().join("output")).unwrap();
    let mut agent = Command::new(env!("CARGO_BIN_EXE_docker-agent"))
        .args(["run", "tasks.toml", "--logs"])
        .current_dir(&home)
        .env_remove("ONWARD_STATE")
        .env("PATH", format!("{}:{path}", server.client().display()))
        .env("DOCKER_HOST", "ssh://far")
        // The sockets of its connections are there.
        .env("XDG_STATE_HOME", server.dir.path())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap();
    let given_up = Instant::now() + PATIENCE;
    while agent.try_wait().unwrap().is_none() && Instant::now() < given_up {
        sleep(Duration::from_millis(50));
    }
    _ = agent.kill();
    _ = agent.wait();
    let shown = fs::read_to_string(home.path().join("output")).unwrap();
    assert!(shown.contains("exit code 3") && shown.contains("said over there"), "{shown}");
}
