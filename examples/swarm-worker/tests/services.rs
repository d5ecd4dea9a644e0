//! Services on a node of a real swarm: how their tasks run and end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::collections::BTreeSet;
use std::fs;

use onward::TaskState;
use support::program::{Task, Worker, container, engine_docker, until};
use support::swarm::swarm;
use tempfile::TempDir;

/// Runs until it is asked to end.
const RUNS: [&str; 4] = ["--init", "bb:1", "sleep", "1000"];

fn states(tasks: &[Task]) -> BTreeSet<TaskState> {
    tasks.iter().map(Task::state).collect()
}

#[test]
fn a_node_is_ready_with_its_platform_resources_and_labels() {
    let Some(swarm) = swarm("a_node_is_ready_with_its_platform_resources_and_labels") else {
        return;
    };
    let flags = ["--label", "disk=ssd", "--generic-resource", "gpu=2"];
    let worker = Worker::start_with(&swarm, "described", &flags);
    let node = worker.node();
    let description = &node["Description"];
    assert_eq!(description["Platform"]["OS"], "linux");
    assert_eq!(description["Platform"]["Architecture"], std::env::consts::ARCH);
    assert_eq!(description["Engine"]["Labels"]["disk"], "ssd");
    assert!(description["Resources"]["NanoCPUs"].as_u64().unwrap() >= 1_000_000_000, "{node}");
    assert!(description["Resources"]["MemoryBytes"].as_u64().unwrap() > 1 << 28, "{node}");
    assert!(description["TLSInfo"]["TrustRoot"].is_string(), "{node}");
    let generic = description["Resources"]["GenericResources"].to_string();
    assert!(generic.contains("gpu"), "{node}");
    let plugins = description["Engine"]["Plugins"].as_array().unwrap();
    assert!(!plugins.iter().any(|plugin| plugin["Name"] == "overlay"), "{node}");
    assert!(plugins.iter().any(|plugin| plugin["Name"] == "bridge"), "{node}");
    assert_eq!(node["Spec"]["Role"], "worker");
    assert_eq!(node["Status"]["State"], "ready");
}

#[test]
fn replicas_are_scaled_up_and_down_and_to_nothing() {
    let Some(swarm) = swarm("replicas_are_scaled_up_and_down_and_to_nothing") else { return };
    let worker = Worker::start(&swarm, "scaled");
    let service = worker.create("web", &[&["--replicas", "20"][..], &RUNS].concat());
    let tasks = swarm.running(&service, 20);
    let slots: BTreeSet<_> = tasks.iter().map(|task| task.0["Slot"].as_u64()).collect();
    assert_eq!(slots.len(), 20);
    assert!(tasks.iter().all(|task| task.message() == "started"), "{tasks:?}");
    for count in [25, 5] {
        swarm.docker(&["service", "scale", "--detach", &format!("{service}={count}")]);
        swarm.running(&service, count);
    }
    swarm.docker(&["service", "scale", "--detach", &format!("{service}=0")]);
    until("all tasks are forgotten", || swarm.tasks("service", &service).is_empty().then_some(()));
    let label = format!("label=com.docker.swarm.service.name={service}");
    until("all containers are removed", || {
        engine_docker(&["ps", "--all", "--quiet", "--filter", &label]).is_empty().then_some(())
    });
}

#[test]
fn jobs_and_global_services_run_as_the_manager_wants() {
    let Some(swarm) = swarm("jobs_and_global_services_run_as_the_manager_wants") else { return };
    let worker = Worker::start(&swarm, "modes");
    let job =
        ["--mode", "replicated-job", "--replicas", "4", "--max-concurrent", "2", "bb:1", "true"];
    let job = worker.create("job", &job);
    let global_job = worker.create("global-job", &["--mode", "global-job", "bb:1", "true"]);
    let global = worker.create("global", &[&["--mode", "global"][..], &RUNS].concat());
    for (service, count) in [(&job, 4), (&global_job, 1)] {
        let tasks = until(&format!("{service} is complete"), || {
            let tasks = swarm.tasks("service", service);
            (tasks.len() == count && states(&tasks) == [TaskState::Complete].into())
                .then_some(tasks)
        });
        for task in tasks {
            assert_eq!((task.message(), task.exit_code()), ("finished", Some(0)), "{task:?}");
        }
    }
    let global = &swarm.running(&global, 1)[0];
    let name = container(global.container())["Name"].clone();
    assert_eq!(name, format!("/modes-global.{}.{}", worker.id, global.id()));
}

#[test]
fn a_task_ends_as_its_command_does() {
    let Some(swarm) = swarm("a_task_ends_as_its_command_does") else { return };
    let worker = Worker::start(&swarm, "ends");
    let once = ["--restart-condition", "none"];
    let check = |name: &str, arguments: &[&str], state, code, err: &str| {
        let service = worker.create(name, &[&once[..], arguments].concat());
        let task = swarm.ended(&service);
        assert_eq!((task.state(), task.exit_code()), (state, code), "{name}: {task:?}");
        assert!(task.err().contains(err), "{name}: {task:?}");
    };
    let (failed, rejected) = (TaskState::Failed, TaskState::Rejected);
    check("zero", &["bb:1", "true"], TaskState::Complete, Some(0), "");
    check("seven", &["bb:1", "sh", "-c", "exit 7"], failed, Some(7), "non-zero exit (7)");
    let killed = ["bb:1", "sh", "-c", "kill -9 $$"];
    check("killed", &[&["--init"][..], &killed].concat(), failed, Some(137), "non-zero exit (137)");
    let hungry = ["--limit-memory", "16M", "bb:1", "sh", "-c", "x=a; while :; do x=$x$x; done"];
    check("oom", &hungry, failed, Some(137), "out of memory");
    check("command", &["bb:1", "missing-command"], failed, Some(127), "missing-command");
    check("image", &["missing-image:1", "true"], rejected, None, "missing-image");
    let mount = ["--mount", "type=bind,source=/missing-source,target=/m", "bb:1", "true"];
    check("mount", &mount, rejected, None, "/missing-source");
}

#[test]
fn a_failed_task_is_restarted_as_the_policy_says() {
    let Some(swarm) = swarm("a_failed_task_is_restarted_as_the_policy_says") else { return };
    let worker = Worker::start(&swarm, "restarts");
    let policy = ["--restart-condition", "on-failure", "--restart-delay", "100ms"];
    let most = ["--restart-max-attempts", "2", "bb:1", "sh", "-c", "exit 3"];
    let failing = worker.create("failing", &[&policy[..], &most].concat());
    let complete = worker.create("complete", &[&policy[..], &["bb:1", "true"]].concat());
    let any = ["--restart-delay", "100ms", "bb:1", "sleep", "1"];
    let any = worker.create("any", &any);
    until("three tasks have failed", || {
        (swarm.tasks("service", &failing).iter().filter(|task| task.exit_code() == Some(3)).count()
            == 3)
            .then_some(())
    });
    assert_eq!(swarm.ended(&complete).state(), TaskState::Complete);
    assert_eq!(swarm.tasks("service", &complete).len(), 1);
    until("a completed task is replaced", || {
        (swarm.tasks("service", &any).len() > 2).then_some(())
    });
}

#[test]
fn health_checks_decide_when_a_task_runs_and_fails() {
    let Some(swarm) = swarm("health_checks_decide_when_a_task_runs_and_fails") else { return };
    let worker = Worker::start(&swarm, "health");
    let check = |command: &'static str| {
        ["--init", "--health-cmd", command, "--health-interval", "500ms", "--health-retries", "2"]
    };
    let once = ["--restart-condition", "none", "bb:1", "sh", "-c"];
    let line = "touch /tmp/ok; sleep 1000";
    let healthy = [&check("test -e /tmp/ok")[..], &once, &[line]].concat();
    let healthy = worker.create("healthy", &healthy);
    let never = worker.create("never", &[&check("false")[..], &once, &[line]].concat());
    let line = "touch /tmp/ok; sleep 4; rm /tmp/ok; sleep 1000";
    let later = [&check("test -e /tmp/ok")[..], &once, &[line]].concat();
    let later = worker.create("later", &later);
    swarm.running(&healthy, 1);
    for service in [never, later] {
        let task = swarm.ended(&service);
        assert_eq!(task.state(), TaskState::Failed, "{task:?}");
        assert!(task.err().contains("unhealthy"), "{task:?}");
    }
}

#[test]
fn a_task_gets_its_stop_signal_and_its_grace() {
    let Some(swarm) = swarm("a_task_gets_its_stop_signal_and_its_grace") else { return };
    let worker = Worker::start(&swarm, "stops");
    let line = "trap 'echo got USR1; exit 0' USR1; while :; do sleep 0.1; done";
    let signal = ["--stop-signal", "USR1", "--stop-grace-period", "60s", "bb:1", "sh", "-c", line];
    let signal = worker.create("signal", &signal);
    let line = "trap '' TERM; while :; do sleep 0.1; done";
    let stubborn = ["--stop-grace-period", "2s", "bb:1", "sh", "-c", line];
    let stubborn = worker.create("stubborn", &stubborn);
    for (service, code) in [(&signal, 0), (&stubborn, 137)] {
        let old = swarm.running(service, 1)[0].id().to_owned();
        swarm.docker(&["service", "update", "--detach", "--force", service]);
        let ended = until("the old task has ended", || {
            swarm.tasks("id", &old).into_iter().find(|task| task.state().is_terminal())
        });
        assert_eq!((ended.state(), ended.exit_code()), (TaskState::Shutdown, Some(code)));
        assert_eq!(ended.message(), "shutdown");
    }
}

#[test]
fn a_published_port_of_the_host_is_reported_and_answers() {
    let Some(swarm) = swarm("a_published_port_of_the_host_is_reported_and_answers") else { return };
    let worker = Worker::start(&swarm, "ports");
    let server = ["--init", "bb:1", "sh", "-c", "while :; do echo hello | nc -l -p 80; done"];
    let fixed = "mode=host,target=80,published=18080";
    let fixed = worker.create("fixed", &[&["--publish", fixed][..], &server].concat());
    let free = "mode=host,target=80";
    let free = worker.create("free", &[&["--publish", free][..], &server].concat());
    for (service, expected) in [(fixed, Some(18080)), (free, None)] {
        let tasks = until("the ports are reported", || {
            let tasks = swarm.running(&service, 1);
            tasks[0].0["Status"]["PortStatus"]["Ports"].is_array().then_some(tasks)
        });
        let port = tasks[0].0["Status"]["PortStatus"]["Ports"][0].clone();
        let published = port["PublishedPort"].as_u64().unwrap();
        assert_eq!((&port["TargetPort"], &port["PublishMode"]), (&80.into(), &"host".into()));
        assert_eq!(expected.unwrap_or(published), published);
        until("the port answers", || {
            let address = ("127.0.0.1", u16::try_from(published).unwrap());
            let mut answer = String::new();
            let mut stream = std::net::TcpStream::connect(address).ok()?;
            std::io::Read::read_to_string(&mut stream, &mut answer).ok()?;
            (answer == "hello\n").then_some(())
        });
    }
}

#[test]
fn a_container_that_someone_else_removes_is_replaced() {
    let Some(swarm) = swarm("a_container_that_someone_else_removes_is_replaced") else { return };
    let worker = Worker::start(&swarm, "removed");
    let service = worker.create("web", &[&["--restart-delay", "100ms"][..], &RUNS].concat());
    let old = swarm.running(&service, 1)[0].clone();
    engine_docker(&["rm", "--force", old.container()]);
    until("another task runs", || {
        let tasks = swarm.current(&service);
        tasks.into_iter().find(|task| task.is_running() && task.id() != old.id())
    });
    let old = swarm.tasks("id", old.id());
    assert_eq!(old[0].state(), TaskState::Failed, "{old:?}");
}

#[test]
fn tasks_are_placed_by_constraints_and_reservations() {
    let Some(swarm) = swarm("tasks_are_placed_by_constraints_and_reservations") else { return };
    let flags = ["--label", "place=here", "--generic-resource", "slot=1"];
    let worker = Worker::start_with(&swarm, "placed", &flags);
    let constraint = ["--constraint", "engine.labels.place==here"];
    let here = worker.create("here", &[&constraint[..], &RUNS].concat());
    swarm.running(&here, 1);
    let constraint = ["--constraint", "engine.labels.place==there"];
    let there = worker.create("there", &[&constraint[..], &RUNS].concat());
    let much = worker.create("much", &[&["--reserve-memory", "900G"][..], &RUNS].concat());
    for service in [there, much] {
        let task = until("the manager gives its reason", || {
            let tasks = swarm.tasks("service", &service);
            tasks.into_iter().find(|task| task.err().contains("no suitable node"))
        });
        assert_eq!(task.state(), TaskState::Pending, "{task:?}");
    }
    let slot = [&["--generic-resource", "slot=1", "--replicas", "2"][..], &RUNS].concat();
    let slots = worker.create("slots", &slot);
    let task = until("one of two runs", || {
        let tasks = swarm.tasks("service", &slots);
        let (running, waiting): (Vec<_>, Vec<_>) = tasks.into_iter().partition(Task::is_running);
        (waiting.len() == 1 && waiting[0].state() == TaskState::Pending).then(|| running[0].clone())
    });
    let env = container(task.container())["Config"]["Env"].to_string();
    assert!(env.contains("DOCKER_RESOURCE_SLOT=1"), "{env}");
}

#[test]
fn a_service_runs_a_command_of_the_worker_as_a_process() {
    let Some(swarm) = swarm("a_service_runs_a_command_of_the_worker_as_a_process") else { return };
    let dir = TempDir::new().unwrap();
    let commands = dir.path().join("commands.toml");
    fs::write(&commands, "[commands.sleep]\ncommand = ['sleep']\nallow_args = true\n").unwrap();
    let flags = ["--runtime", "process", "--commands", commands.to_str().unwrap()];
    let worker = Worker::start_with(&swarm, "processes", &flags);
    let sleep = worker.create("sleep", &["sleep", "1000"]);
    swarm.running(&sleep, 1);
    let other = worker.create("other", &["--restart-condition", "none", "sh"]);
    let task = swarm.ended(&other);
    assert_eq!(task.state(), TaskState::Rejected, "{task:?}");
    assert!(task.err().contains("none of this worker's commands, which are sleep"), "{task:?}");
}
