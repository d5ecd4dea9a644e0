//! How somebody sees all tasks change.

use super::agent::{Agent, task};
use super::world::Script;
use futures::{FutureExt as _, StreamExt as _};
use onward::lifecycle::TaskState;

#[test]
fn who_looks_at_the_tasks_is_woken_for_everything_and_told_when_the_worker_has_gone() {
    let agent = Agent::new();
    let mut changes = agent.handle.changes();
    agent.assign(vec![task("job", Script::job(50, 3))]);
    let ended = changes.by_ref().any(async |changed| {
        changed.tasks.iter().any(|task| task.snapshot.status.state == TaskState::Failed)
    });
    assert!(agent.pool.run_until(ended).unwrap());
    agent.assign(Vec::new());
    let gone = changes.by_ref().any(async |changed| changed.removed == ["job".into()]);
    assert!(agent.pool.run_until(gone).unwrap());
    agent.handle.close();
    agent.pool.run_until(changes.for_each(async |_| {})).unwrap();
    agent.check();
}

#[test]
fn a_second_close_is_nothing_new() {
    let agent = Agent::new();
    agent.assign(vec![task("job", Script::job(50, 3))]);
    let mut changes = agent.handle.changes();
    agent.handle.close();
    assert!(changes.next().now_or_never().is_some());
    agent.handle.close();
    assert!(changes.next().now_or_never().is_none());
    agent.pool.run();
    agent.check();
}
