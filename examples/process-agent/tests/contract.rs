//! The library's contract kit, held against real processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

use std::fs;

use onward::agent::TokioTimer;
use onward::testing::contract::{Clause, Contract, Observation, Subject, Workload};
use process_agent::controller::ProcessExecutor;
use process_agent::definition::ProcessDefinition;
use tempfile::TempDir;

/// Tasks in a directory of their own; what they start leaves a line beside it.
struct Processes {
    tasks: TempDir,
    marks: TempDir,
    executor: ProcessExecutor,
}

impl Processes {
    fn new() -> Self {
        let (tasks, marks) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let program = env!("CARGO_BIN_EXE_process-agent");
        let executor = ProcessExecutor::new(tasks.path()).with_program(program);
        Self { tasks, marks, executor }
    }

    /// Where a workload leaves a line when it starts: in its environment, it tells its
    /// processes from others, too.
    fn mark(&self, id: &str) -> String {
        self.marks.path().join(id).display().to_string()
    }
}

impl Subject for Processes {
    type Executor = ProcessExecutor;

    fn executor(&self) -> &ProcessExecutor {
        &self.executor
    }

    fn restarted(&self) -> Option<ProcessExecutor> {
        let program = env!("CARGO_BIN_EXE_process-agent");
        Some(ProcessExecutor::new(self.tasks.path()).with_program(program))
    }

    fn definition(&self, id: &str, workload: Workload) -> Option<ProcessDefinition> {
        let then = match workload {
            Workload::Runs => "while :; do sleep 1000; done".to_owned(),
            Workload::Disobeys => "trap '' TERM; while :; do sleep 1000; done".to_owned(),
            Workload::Exits(code) => format!("exit {code}"),
            Workload::DiesOf(signal) => format!("kill -{signal} $$"),
            Workload::Fails => "exit 1".to_owned(),
            _ => return None,
        };
        let script = format!("echo >> $MARK; {then}");
        let mut definition = ProcessDefinition::new(["sh", "-c", &script]);
        definition.env.insert("MARK".to_owned(), self.mark(id));
        Some(definition)
    }

    fn observe(&self, id: &str) -> Observation {
        let mark = self.mark(id);
        let entry = format!("MARK={mark}");
        let running = fs::read_dir("/proc").unwrap().any(|process| {
            let environ = fs::read(process.unwrap().path().join("environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|other| other == entry.as_bytes())
        });
        let starts = fs::read_to_string(mark).unwrap_or_default().lines().count();
        let remains = fs::read_dir(self.tasks.path()).unwrap();
        let remains =
            remains.into_iter().any(|dir| dir.unwrap().file_name().to_string_lossy().contains(id));
        Observation::default().with_starts(starts).with_running(running).with_remains(remains)
    }
}

#[tokio::test]
async fn the_controller_of_processes_keeps_the_contract() {
    let report = Contract::new(TokioTimer::new()).check(&Processes::new()).await;
    report.assert_holds();
    assert_eq!(report.held, Clause::ALL);
}
