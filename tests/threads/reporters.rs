//! A reporter and its handles.

use super::chance::{Chance, PLANNED, THREADS, in_rounds, tokio_runtime};
use onward::agent::policy::Backoff;
use onward::agent::reporter::{ReportError, StatusUpdate, TaskReportError};
use onward::agent::{Reporter, Runtime, StatusReporter, StatusSink, TokioRuntime};
use onward::lifecycle::{TaskState, TaskStatus};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A manager that is unreachable, refuses and panics at random.
struct Manager {
    chance: Chance,
    arrived: Arc<Mutex<BTreeMap<String, TaskState>>>,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl StatusReporter for Manager {
    async fn report(&mut self, updates: &[StatusUpdate]) -> Result<(), ReportError> {
        tokio::task::yield_now().await;
        let refused = match self.chance.below(8) {
            0 => return Err(ReportError::Unreachable("unreachable".into())),
            1 => return Err(ReportError::Refused("refused".into())),
            2 => panic!("a report panics {PLANNED}"),
            3 => Some(0),
            _ => None,
        };
        for (index, update) in updates.iter().enumerate() {
            let state = update.status.state;
            if refused == Some(index) {
                continue;
            }
            let before = self.arrived.lock().unwrap().insert(update.id.to_string(), state);
            if before.is_some_and(|before| before > state) {
                let line = format!("{} fell from {before:?} to {state}", update.id);
                self.wrong.lock().unwrap().push(line);
            }
        }
        let refusal = || TaskReportError::Refused("refused".into());
        refused.map_or(Ok(()), |index| Err(ReportError::Tasks(vec![(index, refusal())])))
    }
}

const STATES: [TaskState; 5] = [
    TaskState::Accepted,
    TaskState::Preparing,
    TaskState::Starting,
    TaskState::Running,
    TaskState::Complete,
];

fn round(seed: u64, workers: usize) {
    let main = tokio_runtime(workers);
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new(main.handle().clone()));
    let (arrived, wrong) = (Arc::default(), Arc::default());
    let manager = Manager {
        chance: Chance::new(seed),
        arrived: Arc::clone(&arrived),
        wrong: Arc::clone(&wrong),
    };
    let millis = Duration::from_millis;
    let reporter = Reporter::new(manager, Arc::clone(&runtime));
    let mut reporter = reporter.with_backoff(Backoff::new(millis(1), millis(4)));
    let sink = reporter.handle();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (sink, chance) = (sink.clone(), Chance::new(seed * 100 + thread));
            thread::spawn(move || {
                for task in 0..20 {
                    for state in STATES {
                        sink.changed(&format!("{thread}.{task}"), TaskStatus::new(state));
                        if chance.one_in(4) {
                            thread::yield_now();
                        }
                    }
                }
            })
        })
        .collect();
    let chance = Chance::new(seed);
    main.block_on(async {
        // Dropped in the middle, and called again.
        for _ in 0..30 {
            let limit = Duration::from_micros(chance.below(1000));
            _ = tokio::time::timeout(limit, reporter.run()).await;
        }
    });
    for thread in threads {
        thread.join().expect("a thread has found nothing wrong");
    }
    let until = runtime.now() + Duration::from_secs(30);
    main.block_on(reporter.flush(until)).expect("everything arrives");
    assert_eq!(sink.pending(), 0);
    assert_eq!(*wrong.lock().unwrap(), Vec::<String>::new());
    let arrived = arrived.lock().unwrap();
    assert_eq!(arrived.len() as u64, THREADS * 20);
    assert!(arrived.values().all(|state| *state == TaskState::Complete), "{arrived:?}");
}

#[test]
fn a_reporter_delivers_every_last_status_of_six_threads() {
    in_rounds("a reporter", round);
}
