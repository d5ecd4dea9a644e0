//! The HTTP server of an agent: who gets an answer, and which.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::float_cmp)] // the numbers are whole
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;
#[path = "support/http.rs"]
mod http;
#[path = "support/prometheus.rs"]
mod prometheus;

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use agent::{Home, RUNS, task};
use http::{address, ask, connect, get_with, json, try_ask, up};
use prometheus::scrape;
use serde_json::{Value, json};

#[test]
fn every_other_request_gets_an_error_with_the_valid_ones() {
    let (_home, address) = up("task = []");
    for path in ["/page/", "/api", "/api/tasks/", "/metrics/", "/metric", "/healthz2", "/..%2f"] {
        let answer = ask(address, "GET", path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(
            answer.body,
            "not found; this server has /, /api/tasks, /api/events, /metrics and /healthz\n"
        );
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = ask(address, method, "/metrics");
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.head.contains("allow: get,head"), "{answer:?}");
        assert!(answer.body.contains("only GET and HEAD"), "{answer:?}");
    }
    let head = ask(address, "HEAD", "/metrics");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(ask(address, "GET", "/metrics?name=x").status, 200);
    // `nc -N` sends a request like this.
    let mut client = connect(address);
    client.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200") && answer.ends_with("ok\n"), "{answer:?}");
}

#[test]
fn slow_and_invalid_clients_block_no_other_client_even_with_few_descriptors() {
    let mut home = Home::new(&task("web", RUNS));
    let mut command = home.command(&["run", "tasks.toml", "--http", "127.0.0.1:0"]);
    command.env("RUST_LOG", "agent_kit=warn");
    home.spawn(limited(&command, LIMIT));
    home.until("web", "running");
    let address = address(&home);
    let samples = scrape(address);
    assert_eq!(samples["process_max_fds"], f64::from(LIMIT));
    let before = samples["process_open_fds"];
    let mut clients: Vec<_> = (0..60).map(|_| connect(address)).collect();
    let long = "a".repeat(65_536);
    let garbage =
        ["GET /metrics HT", "\0\u{ff}\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &*long];
    // The other clients send nothing.
    for (client, text) in clients.iter_mut().zip(garbage) {
        _ = client.write_all(text.as_bytes());
    }
    home.wait(|home| home.state("web") == "running");
    home.wait(|_| try_ask(address, "GET", "/metrics").is_some_and(|answer| answer.status == 200));
    home.wait(|home| home.read("err").contains("cannot accept an HTTP client"));
    // A client that sends nothing more is disconnected after a while.
    let mut slow = connect(address);
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").unwrap();
    assert_eq!(slow.read(&mut [0]).unwrap_or(0), 0);
    home.wait(|_| {
        try_ask(address, "GET", "/metrics").is_some()
            && scrape(address)["process_open_fds"] <= before
    });
    home.ask(&["stop", "--wait", "web"]);
    home.kill();
}

/// The limit on descriptors of the agent. It needs about twenty of its own.
const LIMIT: u32 = 34;

/// Returns the same command with a limit on descriptors.
fn limited(command: &Command, most: u32) -> Command {
    let mut shell = Command::new("sh");
    let script = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
    shell.arg("-c").arg(script).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell.current_dir(command.get_current_dir().unwrap());
    shell
}

#[test]
fn an_address_in_use_is_an_error_before_any_task_starts() {
    let home = Home::new(&task("web", RUNS));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port().to_string();
    let error = home.refused(&["run", "tasks.toml", "--http", &port]);
    let expected = format!(
        "process-agent: --http {address}: the address is in use; stop the program that listens \
         there, or name another address: port 0 stands for a free port\n"
    );
    assert_eq!(error, expected);
    assert!(!home.path("state").exists());
    let error = home.refused(&["run", "tasks.toml", "--http", "localhost:9100"]);
    assert!(error.contains("write one like 127.0.0.1:9100"), "{error}");
    let error =
        home.refused(&["run", "tasks.toml", "--http", "127.0.0.1:0", "--http-token-file", "no"]);
    assert!(error.contains("--http-token-file no: No such file"), "{error}");
    for open in ["0.0.0.0:9100", "[::]:9100", "192.0.2.1:9100"] {
        let error = home.refused(&["run", "tasks.toml", "--http", open]);
        assert!(error.contains("a token is required: add --http-token-file FILE"), "{error}");
    }
    let token = with_token(&home);
    let arguments = ["run", "tasks.toml", "--http", "192.0.2.1:9100", "--http-token-file", &token];
    let error = home.refused(&arguments);
    assert!(error.contains("192.0.2.1:9100: ") && error.contains("127.0.0.1:0"), "{error}");
}

const TOKEN: &str = "0123456789abcdef";

/// Writes a token file, and returns its name.
fn with_token(home: &Home) -> String {
    fs::write(home.path("token"), TOKEN).unwrap();
    fs::set_permissions(home.path("token"), Permissions::from_mode(0o600)).unwrap();
    "token".to_owned()
}

#[test]
fn a_task_has_the_form_of_ps_with_its_progress_and_its_history() {
    let retried = "prepare = ['sh', '-c', 'test -e $TEST_HOME/once || { touch $TEST_HOME/once; exit 75; }']\n\
                   policy = { retry_initial = '10ms' }\n";
    let late = "ready = { command = ['false'], interval = '20ms' }\n\
                policy = { start_deadline = '300ms' }\n";
    let tasks = [task("web", RUNS) + retried, task("late", RUNS) + late].concat();
    let (home, address) = up(&tasks);
    home.until("web", "running");
    home.until("late", "failed");
    let web = json(address, "/api/tasks/web");
    let listed = home.task("web").unwrap();
    for (key, value) in listed.as_object().unwrap() {
        assert_eq!(&web[key], value, "{key}");
    }
    let history = &web["History"];
    let states: Vec<_> =
        history["States"].as_array().unwrap().iter().map(|each| &each["To"]).collect();
    assert_eq!(states, ["accepted", "preparing", "ready", "starting", "running"]);
    let of = |operation: &Value| {
        let text = |key: &str| operation[key].as_str().unwrap_or("running").to_owned();
        format!("{} {} {}", text("Name"), operation["Attempt"], text("Outcome"))
    };
    let operations = |task: &Value| -> Vec<_> {
        task["History"]["Operations"].as_array().unwrap().iter().map(of).collect()
    };
    let expected =
        ["controller 1 ok", "prepare 1 temporary", "prepare 2 ok", "start 1 ok", "wait 1 running"];
    assert_eq!(operations(&web), expected);
    let late = json(address, "/api/tasks/late");
    let expected = ["controller 1 ok", "prepare 1 ok", "start 1 dropped", "terminate 1 ok"];
    assert_eq!(operations(&late), expected);
    let marks: Vec<_> =
        late["History"]["Marks"].as_array().unwrap().iter().map(|mark| &mark["Kind"]).collect();
    assert_eq!(marks, ["deadline", "termination"]);
    // The list has the same tasks, without their histories.
    let all = json(address, "/api/tasks");
    let names: Vec<_> = all.as_array().unwrap().iter().map(|task| &task["Name"]).collect();
    assert_eq!(names, ["late", "web"]);
    assert_eq!(all[1]["Spec"], web["Spec"]);
    assert!(all[1].get("History").is_none());
    let missing = ask(address, "GET", "/api/tasks/none");
    assert_eq!(
        (missing.status, &*missing.body),
        (404, r#"{"message":"there is no task \"none\""}"#)
    );
}

#[test]
fn an_agent_with_many_tasks_lists_all_of_them() {
    let task = |index| format!("[[task]]\nname = 'task{index:03}'\ncommand = ['true']\n");
    let tasks = (0..120).map(task).collect::<Vec<_>>().concat();
    let (home, address) = up(&tasks);
    let all = json(address, "/api/tasks");
    assert_eq!(all.as_array().unwrap().len(), 120);
    home.wait(|_| {
        json(address, "/api/tasks")
            .as_array()
            .unwrap()
            .iter()
            .all(|task| task["Status"]["State"] == "complete")
    });
    let (_home, address) = up("task = []");
    assert_eq!(json(address, "/api/tasks"), json!([]));
}

#[test]
fn a_log_is_selected_and_followed() {
    let script = "echo one; echo two >&2; echo three; while ! test -e $TEST_HOME/go; do sleep 0.02; done; printf four";
    let (home, address) = up(&task("web", script));
    let log = |query: &str| -> Vec<_> {
        let answer = ask(address, "GET", &format!("/api/tasks/web/logs{query}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = |line: &str| {
            serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned()
        };
        answer.body.lines().filter(|line| !line.is_empty()).map(text).collect()
    };
    home.wait(|_| log("").len() == 3);
    assert_eq!(log("?stream=stderr"), ["two"]);
    assert_eq!(log("?stream=stdout&tail=1"), ["three"]);
    assert_eq!(log("?since=2999-01-01T00:00:00Z"), [""; 0]);
    let mut following = connect(address);
    write!(
        following,
        "GET /api/tasks/web/logs?follow=true&tail=0 HTTP/1.1\r\nHost: {address}\r\n\r\n"
    )
    .unwrap();
    let lines = BufReader::new(following).lines().map(Result::unwrap);
    let mut lines = lines.skip_while(|line| !line.is_empty());
    assert_eq!(lines.next().as_deref(), Some(""));
    fs::write(home.path("go"), "").unwrap();
    let line = lines.find(|line| line.contains("four")).expect("the log ended without the line");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&line["stream"], &line["partial"], &line["task"]),
        (&json!("stdout"), &json!(true), &json!("web"))
    );
    // It ends with the task.
    assert_eq!(lines.last().as_deref(), Some(""));
    for (query, error) in [
        ("tail=x", "tail"),
        ("stream=both", "stdout nor stderr"),
        ("since=x", "1h 30m"),
        ("tial=1", "tial"),
    ] {
        let answer = ask(address, "GET", &format!("/api/tasks/web/logs?{query}"));
        assert!(answer.status == 400 && answer.body.contains(error), "{query}: {answer:?}");
    }
    assert_eq!(ask(address, "GET", "/api/tasks/none/logs").status, 404);
}

#[test]
fn the_events_begin_with_everything_and_go_on_with_changes() {
    let (home, address) = up(&task("web", RUNS));
    home.until("web", "running");
    let mut client = connect(address);
    write!(client, "GET /api/events HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut lines = BufReader::new(client).lines().map(Result::unwrap);
    let mut next = |name: &str| -> Value {
        let wanted = format!("event: {name}");
        lines.by_ref().find(|line| *line == wanted).expect("the stream ended");
        let data = lines.next().unwrap();
        serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap()
    };
    let agent = next("agent");
    assert_eq!(agent["Name"], "process-agent");
    assert_eq!(agent["Edges"].as_array().unwrap().len(), onward::lifecycle::EDGES.len());
    let tasks = next("tasks");
    assert_eq!(tasks["Changed"][0]["Status"]["State"], "running");
    assert!(tasks["Changed"][0].get("Spec").is_none());
    next("ready");
    let edges = next("edges");
    assert!(
        edges
            .as_array()
            .unwrap()
            .contains(&json!({ "From": "starting", "To": "running", "Count": 1 })),
        "{edges}"
    );
    home.ask(&["stop", "--wait", "web"]);
    while next("tasks")["Changed"][0]["Status"]["State"] != "shutdown" {}
    home.save("task = [");
    let notices = next("notices");
    assert!(notices[0].as_str().unwrap().contains("the tasks stay as they were"), "{notices}");
    home.save("task = []");
    loop {
        let tasks = next("tasks");
        if tasks["Removed"] == json!(["web"]) {
            break;
        }
    }
}

#[test]
fn another_name_of_the_host_and_another_site_get_nothing() {
    let (_home, address) = up(&task("web", RUNS));
    let own = format!("Host: {address}");
    for path in ["/", "/page/main.js", "/api/tasks", "/metrics", "/healthz", "/none"] {
        for host in
            ["Host: evil.example", "Host: 192.0.2.1", "Host: evil.example\r\nHost: 127.0.0.1"]
        {
            let answer = get_with(address, path, &[host]);
            assert!([400, 421].contains(&answer.status), "{path} {host}: {answer:?}");
            assert!(!answer.body.contains("web"), "{answer:?}");
        }
    }
    for path in ["/api/tasks", "/api/events", "/api/tasks/web/logs", "/metrics", "/healthz"] {
        for header in ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"]
        {
            let answer = get_with(address, path, &[&own, header]);
            assert_eq!(answer.status, 403, "{path} {header}: {answer:?}");
        }
    }
    let answer = get_with(
        address,
        "/api/tasks",
        &[&own, &format!("Origin: http://{address}"), "Sec-Fetch-Site: same-origin"],
    );
    assert_eq!(answer.status, 200);
    assert!(!answer.head.contains("access-control"), "{answer:?}");
    // A link on another site may open the page.
    let page =
        get_with(address, "/", &[&own, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"]);
    assert_eq!(page.status, 200);
    for header in [
        "content-security-policy: default-src 'none'; script-src 'self';",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(page.head.contains(header), "{header}: {page:?}");
        assert!(answer.head.contains(header), "{header}: {answer:?}");
    }
}

#[test]
fn with_a_token_only_the_files_of_the_page_are_open() {
    let mut home = Home::new(&task("web", RUNS));
    let token = with_token(&home);
    home.up(&["--http", "0.0.0.0:0", "--http-token-file", &token]);
    let address = (std::net::Ipv4Addr::LOCALHOST, address(&home).port()).into();
    let host = format!("Host: {address}");
    for path in ["/", "/page/main.js", "/page/style.css"] {
        assert_eq!(get_with(address, path, &[&host]).status, 200, "{path}");
    }
    let data = [
        "/api/tasks",
        "/api/tasks/web",
        "/api/tasks/web/logs",
        "/api/events",
        "/metrics",
        "/healthz",
    ];
    for path in data {
        let long = format!("Authorization: Bearer {TOKEN}0");
        for wrong in [
            "X: y",
            "Authorization: Bearer",
            "Authorization: Bearer 0123456789abcdeF",
            "Authorization: Basic 0123456789abcdef",
            &long,
        ] {
            let answer = get_with(address, path, &[&host, wrong]);
            assert_eq!(answer.status, 401, "{path} {wrong}: {answer:?}");
            assert!(answer.head.contains("www-authenticate: bearer"), "{answer:?}");
            assert!(!answer.body.contains("web"), "{answer:?}");
        }
    }
    let right = format!("authorization: bearer {TOKEN}");
    assert_eq!(get_with(address, "/api/tasks", &[&host, &right]).status, 200);
    assert_eq!(get_with(address, "/healthz", &[&host, &right]).body, "ok\n");
}
