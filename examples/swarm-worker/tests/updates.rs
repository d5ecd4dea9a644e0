//! Updates of services on a node of a real swarm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::collections::BTreeSet;

use onward::TaskState;
use support::program::{Task, Worker, container, until};
use support::swarm::{Swarm, swarm};

const RUNS: [&str; 4] = ["--init", "bb:1", "sleep", "1000"];

fn ids(tasks: &[Task]) -> BTreeSet<String> {
    tasks.iter().map(|task| task.id().to_owned()).collect()
}

/// Waits until the update of a service has come to this end.
fn update_is(swarm: &Swarm, service: &str, end: &str) {
    until(&format!("the update of {service} is {end}"), || {
        let found = swarm.get(&format!("/services/{service}"));
        (found["UpdateStatus"]["State"] == end).then_some(())
    });
}

fn has_variable(task: &Task, variable: &str) -> bool {
    let env = container(task.container())["Config"]["Env"].to_string();
    env.contains(variable)
}

#[test]
fn an_update_replaces_all_tasks_in_either_order_and_is_rolled_back() {
    let Some(swarm) = swarm("an_update_replaces_all_tasks_in_either_order_and_is_rolled_back")
    else {
        return;
    };
    let worker = Worker::start(&swarm, "updates");
    for order in ["stop-first", "start-first"] {
        let how = ["--replicas", "3", "--update-order", order, "--update-parallelism", "2"];
        let service =
            worker.create(order, &[&how[..], &["--update-monitor", "1s"], &RUNS].concat());
        let first = swarm.running(&service, 3);
        swarm.docker(&["service", "update", "--detach", "--env-add", "NEW=1", &service]);
        update_is(&swarm, &service, "completed");
        let second = swarm.running(&service, 3);
        assert!(ids(&first).is_disjoint(&ids(&second)));
        assert!(second.iter().all(|task| has_variable(task, "NEW=1")));
        swarm.docker(&["service", "rollback", "--detach", &service]);
        update_is(&swarm, &service, "rollback_completed");
        let third = swarm.running(&service, 3);
        assert!(ids(&second).is_disjoint(&ids(&third)));
        assert!(!third.iter().any(|task| has_variable(task, "NEW=1")));
        for task in first {
            let task = swarm.tasks("id", task.id()).remove(0);
            assert_eq!((task.state(), task.message()), (TaskState::Shutdown, "shutdown"));
        }
    }
}

#[test]
fn an_update_that_fails_is_rolled_back_by_the_manager() {
    let Some(swarm) = swarm("an_update_that_fails_is_rolled_back_by_the_manager") else { return };
    let worker = Worker::start(&swarm, "fails");
    let how = ["--replicas", "2", "--update-failure-action", "rollback", "--update-monitor", "5s"];
    let service = worker.create("web", &[&how[..], &RUNS].concat());
    swarm.running(&service, 2);
    swarm.docker(&["service", "update", "--detach", "--args", "missing-command", &service]);
    update_is(&swarm, &service, "rollback_completed");
    let tasks = swarm.running(&service, 2);
    for task in tasks {
        assert_eq!(
            container(task.container())["Config"]["Cmd"],
            serde_json::json!(["sleep", "1000"])
        );
    }
}

#[test]
fn new_labels_of_a_service_replace_no_task_and_reach_the_next_one() {
    let Some(swarm) = swarm("new_labels_of_a_service_replace_no_task_and_reach_the_next_one")
    else {
        return;
    };
    let worker = Worker::start(&swarm, "labels");
    let how = ["--label", "team=blue", "--env", r#"TEAM={{index .Service.Labels "team"}}"#];
    let service = worker.create("web", &[&how[..], &RUNS].concat());
    let first = swarm.running(&service, 1);
    assert!(has_variable(&first[0], "TEAM=blue"));
    swarm.docker(&["service", "update", "--detach", "--label-add", "team=red", &service]);
    swarm.docker(&["service", "scale", "--detach", &format!("{service}=2")]);
    let both = swarm.running(&service, 2);
    assert!(ids(&first).is_subset(&ids(&both)));
    for task in both {
        let team = if task.id() == first[0].id() { "TEAM=blue" } else { "TEAM=red" };
        assert!(has_variable(&task, team), "{task:?}");
    }
}

#[test]
fn a_forced_update_replaces_tasks_that_have_not_changed() {
    let Some(swarm) = swarm("a_forced_update_replaces_tasks_that_have_not_changed") else { return };
    let worker = Worker::start(&swarm, "forced");
    let service = worker.create("web", &[&["--replicas", "2"][..], &RUNS].concat());
    let first = swarm.running(&service, 2);
    swarm.docker(&["service", "update", "--detach", "--force", &service]);
    until("two new tasks run", || {
        let tasks = swarm.running(&service, 2);
        ids(&tasks).is_disjoint(&ids(&first)).then_some(())
    });
}

#[test]
fn a_churn_of_eight_services_leaves_what_the_manager_wants() {
    let Some(swarm) = swarm("a_churn_of_eight_services_leaves_what_the_manager_wants") else {
        return;
    };
    let worker = Worker::start(&swarm, "churn");
    let services: Vec<_> = (0..8).map(|number| worker.create(&number.to_string(), &RUNS)).collect();
    for round in 0..4 {
        for (number, service) in services.iter().enumerate() {
            let count = (number * 7 + round * 3) % 4;
            swarm.docker(&["service", "scale", "--detach", &format!("{service}={count}")]);
            if (number + round).is_multiple_of(3) {
                swarm.docker(&["service", "update", "--detach", "--force", service]);
            }
        }
    }
    for service in &services {
        swarm.docker(&["service", "scale", "--detach", &format!("{service}=2")]);
    }
    for service in &services {
        swarm.running(service, 2);
    }
}
