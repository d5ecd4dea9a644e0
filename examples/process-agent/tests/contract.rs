//! The library's contract kit, run against real processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

use std::fs;
use std::sync::Arc;

use onward::agent::TokioRuntime;
use onward::testing::contract::{
    Clause, Contract, InForce, Observation, Subject, UpdatePoint, Workload,
};
use process_agent::controller::ProcessExecutor;
use process_agent::definition::ProcessDefinition;
use tempfile::TempDir;

/// The variables of a workload that an update changes.
const SETTINGS: [&str; 2] = ["FIRST", "SECOND"];

/// Tasks in their own directory. Each start writes a line to a file beside it.
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

    /// Returns the file to which a workload writes a line when it starts. The path is in the
    /// environment of its processes.
    fn mark(&self, id: &str) -> String {
        self.marks.path().join(id).display().to_string()
    }

    /// Returns the environment of the workload's process, if there is one.
    fn environment(&self, id: &str) -> Option<Vec<String>> {
        let mark = format!("MARK={}", self.mark(id));
        let processes = fs::read_dir("/proc").unwrap();
        let mut environments = processes.map(|process| {
            let environ = fs::read(process.unwrap().path().join("environ")).unwrap_or_default();
            let entries = environ.split(|byte| *byte == 0);
            entries.map(|entry| String::from_utf8_lossy(entry).into_owned()).collect::<Vec<_>>()
        });
        environments.find(|entries| entries.contains(&mark))
    }

    /// Returns the definition with two changed variables.
    fn changed(&self, id: &str, workload: Workload) -> Option<ProcessDefinition> {
        let mut definition = self.definition(id, workload)?;
        for name in SETTINGS {
            definition.env.insert(name.to_owned(), "updated".to_owned());
        }
        Some(definition)
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

    fn reconciler(&self) -> Option<ProcessExecutor> {
        self.restarted()
    }

    fn updated_definition(
        &self,
        id: &str,
        workload: Workload,
        point: UpdatePoint,
    ) -> Option<ProcessDefinition> {
        // A process that has started cannot be changed.
        self.changed(id, workload).filter(|_| point != UpdatePoint::Started)
    }

    fn refused_definition(
        &self,
        id: &str,
        workload: Workload,
        point: UpdatePoint,
    ) -> Option<ProcessDefinition> {
        let mut definition = self.changed(id, workload)?;
        if point != UpdatePoint::Started {
            definition.prepare = Some(vec!["true".to_owned()]);
        }
        Some(definition)
    }

    fn definition(&self, id: &str, workload: Workload) -> Option<ProcessDefinition> {
        let then = match workload {
            Workload::Runs => "while :; do sleep 1000; done".to_owned(),
            Workload::IgnoresShutdown => "trap '' TERM; while :; do sleep 1000; done".to_owned(),
            Workload::Exits(code) => format!("exit {code}"),
            Workload::DiesOfSignal(signal) => format!("kill -{signal} $$"),
            Workload::Fails => "exit 1".to_owned(),
            _ => return None,
        };
        let script = format!("echo >> $MARK; {then}");
        let mut definition = ProcessDefinition::new(["sh", "-c", &script]);
        definition.env.insert("MARK".to_owned(), self.mark(id));
        Some(definition)
    }

    fn observe(&self, id: &str) -> Observation {
        let environment = self.environment(id);
        let in_force = environment.as_ref().map(|entries| {
            let updated = SETTINGS.map(|name| entries.contains(&format!("{name}=updated")));
            match updated {
                [false, false] => InForce::Original,
                [true, true] => InForce::Updated,
                _ => InForce::Mixed,
            }
        });
        let starts = fs::read_to_string(self.mark(id)).unwrap_or_default().lines().count();
        // During a removal, the directory of the task has another name.
        let mut dirs = fs::read_dir(self.tasks.path()).unwrap();
        let remains = dirs.any(|dir| dir.unwrap().file_name().to_string_lossy().contains(id));
        Observation::default()
            .with_starts(starts)
            .with_running(environment.is_some())
            .with_remains(remains)
            .with_in_force(in_force)
    }
}

#[tokio::test]
async fn the_controller_of_processes_fulfills_the_contract() {
    let report = Contract::new(Arc::new(TokioRuntime::current())).check(&Processes::new()).await;
    report.assert_all_held();
    assert_eq!(report.held, Clause::ALL);
}
