//! What is assigned, and what becomes of it.

use super::agent::{Agent, stopped, task};
use super::world::Script;
use onward::lifecycle::TaskState;

#[test]
fn a_task_is_taken_to_its_end_and_every_status_is_reported() {
    let agent = Agent::new();
    agent.assign(vec![task("job", Script::job(50, 3)), task("web", Script::service())]);
    agent.run(1_000);
    assert_eq!(agent.state("job"), Some(TaskState::Failed));
    assert_eq!(agent.state("web"), Some(TaskState::Running));
    let told = agent.told.all();
    let last = told["job"].last().unwrap();
    assert_eq!(last.container_status.as_ref().unwrap().exit_code, 3);
    agent.assign(vec![task("job", Script::job(50, 3)), stopped("web", Script::service())]);
    agent.run(1_000);
    assert_eq!(agent.state("web"), Some(TaskState::Shutdown));
    agent.check();
}

#[test]
fn what_is_not_in_a_full_set_is_removed_and_forgotten() {
    let agent = Agent::new();
    agent.assign(vec![task("a", Script::service()), task("b", Script::service())]);
    agent.run(100);
    agent.assign(vec![task("b", Script::service())]);
    agent.run(100);
    assert_eq!(agent.state("a"), None);
    assert!(agent.world.stored("a").is_none());
    assert_eq!(agent.world.lock().workloads.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(agent.state("b"), Some(TaskState::Running));
    agent.check();
}
