//! What is secret is in no log, not even with all details, in no error, and in no answer of the
//! program.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use serde_json::json;
use support::authority::{Authority, SECRET};
use support::ca::Ca;
use support::dispatcher::{LIMIT, update};
use support::fake_engine::FakeEngine;
use support::manager::FakeManager;
use support::program::holds;
use support::state::state;
use support::worker::{Manager, joined, task_of};
use swarm_worker::wire::assignment::Item;
use swarm_worker::wire::container_spec::PullOptions;
use swarm_worker::wire::task_spec::Runtime;
use swarm_worker::wire::{self, TaskState};

/// The name of the account is not secret.
const PASSWORD: &str = "hunter2hunter2";

/// The data of a secret.
const DATA: &str = "correct-horse-battery-staple";

fn program(arguments: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
    command.args(arguments).arg("--state").arg(dir);
    command
}

/// A program that is killed when it is dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// A task with credentials and a secret.
fn private(id: &str, credentials: &str) -> Item {
    let Item::Task(mut task) = task_of(id, "registry.invalid/web:1", TaskState::Running) else {
        panic!("no task");
    };
    let Some(Runtime::Container(container)) = task.spec.as_mut().unwrap().runtime.as_mut() else {
        panic!("no container");
    };
    container.pull_options = Some(PullOptions { registry_auth: credentials.to_owned() });
    Item::Task(task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_of_a_join_is_in_no_log() {
    let authority = Arc::new(Authority::new());
    let manager = FakeManager::start(&authority, &Arc::new(Ca::new(&authority)));
    let dir = state();
    let mut join = program(&["join", "--token", authority.token().expose()], dir.path());
    join.arg(manager.address.to_string()).env("RUST_LOG", "trace");
    let done = tokio::task::spawn_blocking(move || join.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{text}");
    assert!(text.contains("TRACE"), "the details are logged");
    let key = fs::read_to_string(dir.path().join("node.pem")).unwrap();
    let key = key.lines().nth(1).unwrap();
    assert!(!text.contains(SECRET) && !text.contains(key), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_credentials_of_a_registry_and_a_secret_are_nowhere_but_in_memory() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let engine = FakeEngine::start(|request| match request {
        "POST /images/create" => Some((500, json!({ "message": "denied: no such account" }))),
        _ => None,
    });
    let log = fs::File::create(dir.path().with_extension("log")).unwrap();
    let mut run = program(&["run", "--docker-host", &engine.host()], dir.path());
    run.env("RUST_LOG", "trace").stdout(log.try_clone().unwrap()).stderr(log);
    let _program = Program(run.stdin(Stdio::null()).spawn().unwrap());
    let json = json!({ "username": "me", "password": PASSWORD }).to_string();
    let coded = BASE64_URL_SAFE.encode(&json);
    let malformed = format!("{coded}!");
    let spec = wire::SecretSpec { data: DATA.as_bytes().to_vec(), ..Default::default() };
    let secret = wire::Secret { id: "s".to_owned(), spec: Some(spec), ..Default::default() };
    let changes = vec![
        update(Item::Secret(secret)),
        update(private("good", &coded)),
        update(private("malformed", &malformed)),
    ];
    let _opened = manager.dispatcher.open("one", changes).await;
    let mut errors = String::new();
    let mut missing = vec!["good", "malformed"];
    while !missing.is_empty() {
        for update in manager.dispatcher.statuses.next().await.updates {
            let status = update.status.unwrap();
            _ = writeln!(errors, "{}: {} {}", update.task_id, status.message, status.err);
            if status.state == i32::from(TaskState::Rejected) {
                missing.retain(|id| *id != update.task_id);
            }
        }
    }
    assert!(errors.contains("denied") && errors.contains("pull_options.registry_auth"), "{errors}");
    // The engine did get them.
    let used = engine.requests.lock().unwrap().concat().to_ascii_lowercase();
    assert!(used.contains("x-registry-auth: "), "{used}");
    let mut shown = errors;
    for arguments in [&["ps"][..], &["ps", "--json"], &["logs", "good"], &["logs", "malformed"]] {
        let done = program(arguments, dir.path()).env("RUST_LOG", "trace").output().unwrap();
        shown += &String::from_utf8_lossy(&[done.stdout, done.stderr].concat());
    }
    assert!(shown.contains("good"), "{shown}");
    let began = Instant::now();
    let path = dir.path().with_extension("log");
    while !fs::read_to_string(&path).unwrap().contains("TRACE") {
        assert!(began.elapsed() < LIMIT, "the details are not logged");
        std::thread::sleep(Duration::from_millis(50));
    }
    shown += &fs::read_to_string(&path).unwrap();
    fs::remove_file(path).unwrap();
    let bytes = format!("{:?}", PASSWORD.as_bytes());
    let bytes = bytes.trim_matches(['[', ']']);
    for text in [PASSWORD, &coded, &malformed, &coded[..coded.len() / 2], DATA, bytes] {
        assert!(!shown.contains(text), "{text} is shown");
        assert!(!holds(dir.path(), text), "{text} is on the disk");
    }
}
