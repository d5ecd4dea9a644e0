//! One task in its own directory. It is killed and swept at the end of the test.

use std::{path::PathBuf, time::Duration};

use process_agent::{
    definition::ProcessDefinition,
    keeper::{By, End, Ended, Exit, Keeper, NotStarted, Spawned, State},
    log::{Follow, Options, Record, Stream, records},
};
use tempfile::TempDir;

/// The limit of each wait. No test is expected to reach it.
pub(crate) const GUARD: Duration = Duration::from_secs(60);

pub(crate) struct Task {
    pub(crate) keeper: Keeper,
    pub(crate) home: TempDir,
}

#[allow(dead_code)] // each test file uses some of it
impl Task {
    pub(crate) fn new() -> Self {
        let home = TempDir::new().unwrap();
        let keeper = keeper(home.path().join("task"));
        Self { keeper, home }
    }

    /// Prepares a task that runs `script` in a shell.
    pub(crate) fn shell(script: &str) -> Self {
        Self::shell_with(script, |_| {})
    }

    pub(crate) fn shell_with(script: &str, change: impl FnOnce(&mut ProcessDefinition)) -> Self {
        let task = Self::new();
        let mut definition = ProcessDefinition::new(["sh", "-c", script]);
        let home = task.home.path().display().to_string();
        definition.env.insert("TEST_HOME".to_owned(), home);
        change(&mut definition);
        task.keeper.prepare(&definition).unwrap();
        task
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) async fn start(&self) {
        assert_eq!(self.keeper.spawn().await.unwrap(), Spawned::Started);
    }

    pub(crate) async fn end(&self) -> End {
        let waited = tokio::time::timeout(GUARD, self.keeper.wait()).await;
        waited.expect("the task did not end within the limit").unwrap()
    }

    pub(crate) async fn ended(&self) -> Ended {
        let end = self.end().await;
        let End::Exited(Exit::Ended(ended)) = end else { panic!("{end:?}") };
        ended
    }

    pub(crate) async fn not_started(&self) -> NotStarted {
        let end = self.end().await;
        let End::Exited(Exit::NotStarted(error)) = end else { panic!("{end:?}") };
        error
    }

    /// Returns the exit code, and what was done to the task.
    pub(crate) async fn code(&self) -> (i32, By) {
        let ended = self.ended().await;
        (ended.code, ended.by)
    }

    pub(crate) async fn pid(&self) -> i32 {
        let state = self.keeper.state().await.unwrap();
        let State::Running { pid, .. } = state else { panic!("{state:?}") };
        pid
    }

    /// Waits until the task has written the line `text` to its standard output.
    pub(crate) async fn says(&self, text: &str) {
        let options = Options { follow: Follow::Forever, ..Options::default() };
        let mut records = records(self.keeper.dir(), options);
        let found = async {
            while let Some(record) = records.next().await {
                if record.unwrap().bytes == text.as_bytes() {
                    return;
                }
            }
        };
        let found = tokio::time::timeout(GUARD, found).await;
        found.expect("the task did not print the line within the limit");
    }

    pub(crate) async fn records(&self) -> Vec<Record> {
        self.records_with(Options::default()).await
    }

    pub(crate) async fn records_with(&self, options: Options) -> Vec<Record> {
        let mut all = Vec::new();
        let mut records = records(self.keeper.dir(), options);
        while let Some(record) = records.next().await {
            all.push(record.unwrap());
        }
        all
    }

    pub(crate) async fn lines(&self, stream: Stream) -> Vec<String> {
        let mut all = self.records().await;
        all.retain(|record| record.stream == stream);
        let text = |record: Record| String::from_utf8(record.bytes).unwrap();
        all.into_iter().map(text).collect()
    }

    /// Returns the keeper's process id.
    pub(crate) fn keeper_pid(&self) -> i32 {
        let text = std::fs::read_to_string(self.keeper.dir().join("keeper.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["keeper"]["pid"].as_i64().unwrap().try_into().unwrap()
    }

    /// Returns the processes with the task's token.
    pub(crate) fn alive(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.keeper.dir().join("spec.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let entry = format!("ONWARD_TASK={}", json["token"].as_str().unwrap());
        let mut alive = Vec::new();
        for process in std::fs::read_dir("/proc").unwrap() {
            let process = process.unwrap().path();
            let environment = std::fs::read(process.join("environ")).unwrap_or_default();
            if environment.split(|b| *b == 0).any(|v| v == entry.as_bytes()) {
                let command = std::fs::read_to_string(process.join("cmdline")).unwrap_or_default();
                alive.push(format!("{} {command:?}", process.display()));
            }
        }
        alive
    }

    pub(crate) fn signal(pid: i32, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal)
            .unwrap();
    }
}

impl Drop for Task {
    /// Leaves nothing behind, even if the test has failed.
    fn drop(&mut self) {
        let keeper = self.keeper.clone();
        let cleaned = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                if keeper.kill().await.is_ok() {
                    let _ = tokio::time::timeout(GUARD, keeper.wait()).await;
                }
                let _ = tokio::time::timeout(GUARD, keeper.sweep()).await;
            });
        });
        let _ = cleaned.join();
    }
}

pub(crate) fn keeper(dir: PathBuf) -> Keeper {
    Keeper::new(dir).with_program(env!("CARGO_BIN_EXE_process-agent"))
}
