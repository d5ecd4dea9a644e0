//! The program as a node of a real swarm.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use onward::TaskState;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::swarm::Swarm;

/// How long anything may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Time between two looks.
const POLL: Duration = Duration::from_millis(50);

/// Waits until `is` returns something.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut is: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = is() {
            return found;
        }
        assert!(began.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        sleep(POLL);
    }
}

/// A task as the manager's API shows it.
#[derive(Debug, Clone)]
pub(crate) struct Task(pub(crate) Value);

impl Task {
    pub(crate) fn id(&self) -> &str {
        self.0["ID"].as_str().unwrap()
    }

    pub(crate) fn state(&self) -> TaskState {
        serde_json::from_value(self.0["Status"]["State"].clone()).unwrap()
    }

    pub(crate) fn desired(&self) -> TaskState {
        serde_json::from_value(self.0["DesiredState"].clone()).unwrap()
    }

    pub(crate) fn message(&self) -> &str {
        self.0["Status"]["Message"].as_str().unwrap_or_default()
    }

    pub(crate) fn err(&self) -> &str {
        self.0["Status"]["Err"].as_str().unwrap_or_default()
    }

    pub(crate) fn exit_code(&self) -> Option<i64> {
        self.0["Status"]["ContainerStatus"]["ExitCode"].as_i64()
    }

    /// The id of its container.
    pub(crate) fn container(&self) -> &str {
        self.0["Status"]["ContainerStatus"]["ContainerID"].as_str().unwrap_or_default()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state() == TaskState::Running
    }
}

impl Swarm {
    /// An answer of the manager's API.
    pub(crate) fn get(&self, path: &str) -> Value {
        let mut stream = UnixStream::connect(self.host().strip_prefix("unix://").unwrap()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        // In this version the body ends with the connection.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n").unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        read.unwrap_or_else(|error| {
            panic!("no answer of the manager within {LIMIT:?}: {path}: {error}")
        });
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 ") || head.contains(" 404 "), "{path}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    /// The tasks that have this value of this key: `service`, `node`, `id`.
    pub(crate) fn tasks(&self, key: &str, value: &str) -> Vec<Task> {
        let filters = escaped(&json!({ key: [value] }).to_string());
        let tasks = self.get(&format!("/tasks?filters={filters}"));
        // Without such a service, there is a message instead of a list.
        tasks.as_array().into_iter().flatten().cloned().map(Task).collect()
    }

    /// The tasks of a service that are to run.
    pub(crate) fn current(&self, service: &str) -> Vec<Task> {
        let mut tasks = self.tasks("service", service);
        tasks.retain(|task| task.desired() <= TaskState::Complete);
        tasks
    }

    /// Waits until so many tasks of a service run, and none else is to run.
    #[track_caller]
    pub(crate) fn running(&self, service: &str, count: usize) -> Vec<Task> {
        until(&format!("{count} tasks of {service} run"), || {
            let tasks = self.current(service);
            (tasks.len() == count && tasks.iter().all(Task::is_running)).then_some(tasks)
        })
    }

    /// Waits until one task of a service has ended, and returns the oldest of those.
    #[track_caller]
    pub(crate) fn ended(&self, service: &str) -> Task {
        until(&format!("a task of {service} has ended"), || {
            let mut ended = self.tasks("service", service);
            ended.retain(|task| task.state().is_terminal());
            ended.sort_by_key(|task| task.0["CreatedAt"].to_string());
            ended.into_iter().next()
        })
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        _ = write!(escaped, "%{byte:02X}");
    }
    escaped
}

/// A node that runs the program. At its end it is removed from the swarm, with its services.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) swarm: Swarm,
    pub(crate) state: TempDir,
    /// The host name of the node.
    pub(crate) name: String,
    /// The node's id.
    pub(crate) id: String,
    flags: Vec<String>,
    child: Option<Child>,
    services: Mutex<Vec<String>>,
    judge: Option<Judge>,
}

impl Worker {
    /// Joins and runs under a host name of its own.
    pub(crate) fn start(swarm: &Swarm, name: &str) -> Self {
        Self::start_with(swarm, name, &[])
    }

    /// The same with further arguments of `run`.
    pub(crate) fn start_with(swarm: &Swarm, name: &str, flags: &[&str]) -> Self {
        let mode = Permissions::from_mode(0o700);
        let state = tempfile::Builder::new().permissions(mode).tempdir().unwrap();
        let mut worker = Self {
            swarm: swarm.clone(),
            state,
            name: name.to_owned(),
            id: String::new(),
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            child: None,
            services: Mutex::default(),
            judge: None,
        };
        worker.join();
        worker.run();
        worker.judge = Some(Judge::start(swarm.clone(), worker.id.clone()));
        worker
    }

    /// Joins with the present token.
    pub(crate) fn join(&self) {
        let token = self.swarm.token_text();
        let mut program = program();
        program.args(["join", "--token", &token]).arg(self.swarm.address.to_string());
        let done = program.arg("--state").arg(self.state.path()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    /// Runs, and waits until the manager says that the node is ready.
    pub(crate) fn run(&mut self) {
        self.spawn();
        self.id = until("the node is ready", || {
            let nodes = self.swarm.get("/nodes");
            let ready = nodes.as_array().unwrap().iter().find(|node| {
                node["Description"]["Hostname"] == *self.name && node["Status"]["State"] == "ready"
            });
            ready.map(|node| node["ID"].as_str().unwrap().to_owned())
        });
    }

    /// Runs, and does not wait.
    pub(crate) fn spawn(&mut self) {
        let mut command = program();
        command.arg("run").arg("--state").arg(self.state.path()).args(["--hostname", &self.name]);
        command.args(&self.flags).stdout(Stdio::null());
        self.child = Some(command.spawn().unwrap());
    }

    /// The node as the manager's API shows it.
    pub(crate) fn node(&self) -> Value {
        self.swarm.node(&self.id)
    }

    /// Creates a service whose tasks can be only on this node. Returns its name.
    pub(crate) fn create(&self, service: &str, arguments: &[&str]) -> String {
        let name = format!("{}-{service}", self.name);
        let constraint = format!("node.id=={}", self.id);
        let mut all = vec!["service", "create", "--detach", "--name", &name];
        all.extend(["--constraint", &constraint, "--no-resolve-image"]);
        all.extend(arguments);
        self.services.lock().unwrap().push(name.clone());
        self.swarm.docker(&all);
        name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Kills the program.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.exit();
    }

    /// Asks the program to end, and waits for it.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exit()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(self.child.as_ref().unwrap());
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end of the program.
    pub(crate) fn exit(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        until("the program ends", || child.try_wait().unwrap())
    }

    /// Runs another command of the program on the same state.
    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Output {
        let (command, rest) = arguments.split_first().unwrap();
        let mut program = program();
        program.arg(command).arg("--state").arg(self.state.path()).args(rest);
        program.output().unwrap()
    }

    /// Ends the observation of states, for a test in which tasks come to an end that is not theirs.
    pub(crate) fn dismiss_judge(&mut self) {
        self.judge = None;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let verdict = self.judge.take().map(Judge::verdict);
        for service in self.services.get_mut().unwrap() {
            _ = docker(self.swarm.host(), &["service", "rm", service]);
        }
        if let Some(mut child) = self.child.take() {
            // The tasks end with their services.
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(20)
                && docker_lines(&["ps", "--quiet", "--filter", &self.label()]) > 0
            {
                sleep(POLL);
            }
            _ = child.kill();
            _ = child.wait();
        }
        _ = docker(self.swarm.host(), &["node", "rm", "--force", &self.id]);
        let left = engine_docker(&["ps", "--all", "--quiet", "--filter", &self.label()]);
        for container in left.split_whitespace() {
            _ = engine_docker(&["rm", "--force", container]);
        }
        if !thread::panicking() {
            assert_eq!(verdict.unwrap_or_default(), Vec::<String>::new(), "a state fell");
        }
    }
}

impl Worker {
    fn label(&self) -> String {
        format!("label=com.docker.swarm.node.id={}", self.id)
    }
}

/// The program.
pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
    program.stdin(Stdio::null());
    program
}

/// Runs a command of the client at the worker's engine. Returns its output.
pub(crate) fn engine_docker(arguments: &[&str]) -> String {
    let host = std::env::var("DOCKER_HOST").unwrap();
    docker(&host, arguments).unwrap_or_else(|error| error)
}

fn docker_lines(arguments: &[&str]) -> usize {
    engine_docker(arguments).lines().count()
}

/// The output of the client, or its error.
pub(crate) fn docker(host: &str, arguments: &[&str]) -> Result<String, String> {
    let done = Command::new("docker").args(["--host", host]).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
}

/// A container of the worker's engine, as `docker inspect` shows it.
pub(crate) fn container(id: &str) -> Value {
    let found = engine_docker(&["inspect", id]);
    serde_json::from_str::<Value>(&found).unwrap_or_else(|_| panic!("{found}"))[0].take()
}

/// The content of a file of the state directory, if it is there.
pub(crate) fn holds(dir: &Path, text: &str) -> bool {
    let done = Command::new("grep").args(["-r", "-a", "-q", "-F", text]).arg(dir).status().unwrap();
    done.success()
}

/// Looks at all tasks of a node again and again, and notes each state that is lower than the one
/// before, and each running task with an exit code.
#[derive(Debug)]
struct Judge {
    ends: Arc<AtomicBool>,
    looking: JoinHandle<Vec<String>>,
}

impl Judge {
    fn start(swarm: Swarm, node: String) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ends);
        let looking = thread::spawn(move || {
            let (mut seen, mut notes) = (BTreeMap::<String, TaskState>::new(), Vec::new());
            while !is_over.load(Ordering::Relaxed) {
                let socket = swarm.host().strip_prefix("unix://").unwrap().to_owned();
                // The manager may be away in some tests.
                let tasks = if UnixStream::connect(socket).is_ok() {
                    let (swarm, node) = (swarm.clone(), node.clone());
                    thread::spawn(move || swarm.tasks("node", &node)).join().unwrap_or_default()
                } else {
                    Vec::new()
                };
                for task in tasks {
                    let state = task.state();
                    let before = seen.insert(task.id().to_owned(), state);
                    if before.is_some_and(|before| before > state) {
                        notes.push(format!("{} was {before:?} before: {:?}", task.id(), task.0));
                    }
                    if state <= TaskState::Running && task.exit_code().is_some_and(|code| code != 0)
                    {
                        notes.push(format!("{} runs with an exit code: {:?}", task.id(), task.0));
                    }
                }
                sleep(POLL);
            }
            notes
        });
        Self { ends, looking }
    }

    fn verdict(self) -> Vec<String> {
        self.ends.store(true, Ordering::Relaxed);
        self.looking.join().unwrap_or_default()
    }
}
