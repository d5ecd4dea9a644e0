//! Compares this worker with the engine's own, on one machine and with one manager.
//!
//! `.ci/swarm run cargo bench -p swarm-worker --bench compare`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a measurement fails by panicking

#[path = "../tests/support/program.rs"]
#[allow(dead_code)] // it uses a part of it
mod program;
#[path = "../tests/support/swarm.rs"]
#[allow(dead_code)] // it uses a part of it
mod swarm;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use program::{Worker, docker, engine_docker, program, until};
use swarm::Swarm;
use tempfile::TempDir;

/// How often each duration is measured.
const ROUNDS: usize = 7;

/// The tasks of the service.
const TASKS: usize = 20;

fn main() {
    let Some(swarm) = swarm::swarm("compare") else { return };
    println!("{:<44} {:>14} {:>14}", "", "swarm-worker", "engine");
    let (ours, theirs) = (measure_ours(&swarm), measure_theirs(&swarm));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        println!("{:<44} {:>14} {:>14}", ours.0, ours.1, theirs.1);
    }
}

/// What was measured, and the figure.
type Figures = Vec<(&'static str, String)>;

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

fn measure_ours(swarm: &Swarm) -> Figures {
    let refused = refused_join(|token| {
        let state = TempDir::new().unwrap();
        let mut join = program();
        join.args(["join", "--token", token]).arg(swarm.address.to_string());
        join.arg("--state").arg(state.path().join("node")).output().unwrap().status.success()
    });
    let mut worker = Worker::start(swarm, "ours");
    let service = Service::create(swarm, &worker.id);
    service.running(TASKS);
    let memory = resident(worker.pid());
    let stop = service.measure_stop();
    service.running(TASKS);
    let before = service.ids();
    worker.kill();
    sleep(Duration::from_secs(2));
    worker.run();
    sleep(Duration::from_secs(15));
    let kept = service.kept(&before);
    let modes = secret_modes(swarm, &worker.id);
    drop(service);
    worker.dismiss_judge();
    let began = Instant::now();
    swarm.remove_node(&worker.id);
    worker.exit();
    figures(&stop, &kept, seconds(began.elapsed()), refused, &modes, &memory)
}

fn measure_theirs(swarm: &Swarm) -> Figures {
    let host = std::env::var("DOCKER_HOST").unwrap();
    let join = |token: &str| {
        let address = swarm.address.to_string();
        docker(&host, &["swarm", "join", "--token", token, &address]).is_ok()
    };
    let refused = refused_join(join);
    assert!(join(&swarm.token_text()), "the engine does not join");
    let node = engine_docker(&["info", "--format", "{{.Swarm.NodeID}}"]).trim().to_owned();
    let is_ready = || (swarm.node(&node)["Status"]["State"] == "ready").then_some(());
    until("the engine is a node", is_ready);
    let service = Service::create(swarm, &node);
    service.running(TASKS);
    let memory = resident(engine_pid());
    let stop = service.measure_stop();
    service.running(TASKS);
    let before = service.ids();
    engine("kill");
    sleep(Duration::from_secs(2));
    engine("start");
    until("the engine is back", is_ready);
    sleep(Duration::from_secs(15));
    let kept = service.kept(&before);
    let modes = secret_modes(swarm, &node);
    drop(service);
    swarm.remove_node(&node);
    sleep(Duration::from_secs(30));
    let state = engine_docker(&["info", "--format", "{{.Swarm.LocalNodeState}}"]);
    let removed = format!("{} after 30 s", state.trim());
    engine_docker(&["swarm", "leave", "--force"]);
    figures(&stop, &kept, removed, refused, &modes, &memory)
}

fn figures(
    stop: &[Duration],
    kept: &str,
    removed: String,
    refused: Duration,
    modes: &str,
    memory: &str,
) -> Figures {
    let middle = stop[stop.len() / 2];
    let range = format!("{} to {}", seconds(stop[0]), seconds(stop[stop.len() - 1]));
    vec![
        ("20 replicas to 0, all have TERM: median", seconds(middle)),
        ("  fastest and slowest", range),
        ("tasks that go on after kill -9", kept.to_owned()),
        ("node rm --force, until the worker ends", removed),
        ("a join with a wrong token fails after", seconds(refused)),
        ("one secret twice, with 0400 and 0444", modes.to_owned()),
        ("resident memory with 20 tasks", memory.to_owned()),
    ]
}

/// A service of tasks that write down when they get TERM.
struct Service<'a> {
    swarm: &'a Swarm,
    name: String,
    dir: TempDir,
}

impl<'a> Service<'a> {
    fn create(swarm: &'a Swarm, node: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let (name, constraint) = ("measured".to_owned(), format!("node.id=={node}"));
        let mount = format!("type=bind,source={},target=/out", dir.path().display());
        let line = "trap 'touch /out/$HOSTNAME; exit 0' TERM; while :; do sleep 1000 & wait; done";
        swarm.docker(&[
            "service",
            "create",
            "--detach",
            "--name",
            &name,
            "--no-resolve-image",
            "--constraint",
            &constraint,
            "--replicas",
            &TASKS.to_string(),
            "--mount",
            &mount,
            "bb:1",
            "sh",
            "-c",
            line,
        ]);
        Self { swarm, name, dir }
    }

    fn running(&self, count: usize) {
        self.swarm.running(&self.name, count);
    }

    fn scale(&self, count: usize) {
        self.swarm.docker(&["service", "scale", "--detach", &format!("{}={count}", self.name)]);
    }

    fn ids(&self) -> BTreeSet<String> {
        let tasks = self.swarm.current(&self.name);
        tasks.iter().filter(|task| task.is_running()).map(|task| task.id().to_owned()).collect()
    }

    fn kept(&self, before: &BTreeSet<String>) -> String {
        let after = self.ids();
        format!("{} of {}", before.intersection(&after).count(), before.len())
    }

    /// Scales to 0 and back. Returns the durations from the command to the last TERM, in order.
    fn measure_stop(&self) -> Vec<Duration> {
        let mut measured: Vec<_> = (0..ROUNDS)
            .map(|_| {
                self.running(TASKS);
                // The shells set their traps.
                sleep(Duration::from_secs(2));
                let began = SystemTime::now();
                self.scale(0);
                let files = || fs::read_dir(self.dir.path()).unwrap().map(|file| file.unwrap());
                until("all have TERM", || (files().count() == TASKS).then_some(()));
                let last = files().map(|file| file.metadata().unwrap().modified().unwrap()).max();
                files().for_each(|file| fs::remove_file(file.path()).unwrap());
                self.scale(TASKS);
                last.unwrap().duration_since(began).unwrap()
            })
            .collect();
        measured.sort();
        measured
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        self.swarm.docker(&["service", "rm", &self.name]);
        until("the tasks are gone", || {
            self.swarm.tasks("service", &self.name).is_empty().then_some(())
        });
    }
}

/// The modes of two files of one secret in a task of this node.
fn secret_modes(swarm: &Swarm, node: &str) -> String {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, "x").unwrap();
    swarm.docker(&["secret", "create", "twice", path.to_str().unwrap()]);
    swarm.docker(&[
        "service",
        "create",
        "--detach",
        "--name",
        "twice",
        "--no-resolve-image",
        "--constraint",
        &format!("node.id=={node}"),
        "--init",
        "--secret",
        "source=twice,target=first,mode=0400",
        "--secret",
        "source=twice,target=second,mode=0444",
        "bb:1",
        "sleep",
        "1000",
    ]);
    let container = swarm.running("twice", 1)[0].container().to_owned();
    let files = ["/run/secrets/first", "/run/secrets/second"];
    let found = engine_docker(&["exec", &container, "stat", "-c", "%a", files[0], files[1]]);
    swarm.docker(&["service", "rm", "twice"]);
    until("the secret is free", || docker(swarm.host(), &["secret", "rm", "twice"]).ok());
    found.split_whitespace().collect::<Vec<_>>().join(" and ")
}

/// How long a join takes that cannot succeed.
fn refused_join(join: impl Fn(&str) -> bool) -> Duration {
    let wrong = format!("SWMTKN-1-{}-{}", "1".repeat(50), "2".repeat(25));
    let began = Instant::now();
    assert!(!join(&wrong), "a wrong token was accepted");
    began.elapsed()
}

/// The resident memory of a process.
fn resident(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    format!("{} MB", kilobytes * 1024 / 1_000_000)
}

fn engine_dir() -> std::path::PathBuf {
    Path::new(&std::env::var_os("SWARM_DIR").unwrap()).join("worker")
}

fn engine_pid() -> u32 {
    let pid = fs::read_to_string(engine_dir().join("docker.pid")).unwrap();
    pid.trim().parse().unwrap()
}

/// `kill` or `start` of the worker's engine.
fn engine(command: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/docker");
    let done = Command::new(script).arg(command).arg(engine_dir()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}
