//! The page `docs/playground.html`: its template, filled with the law and ten traces.

use super::{conformance, moves};
use onward::lifecycle::{Decision, EventKind, TaskState, decide};
use serde::Serialize;
use serde_json::Value;

const TEMPLATE: &str = include_str!("playground.html");
const DIAGRAM: &str = include_str!("../../docs/lifecycle.svg");
const SCENARIOS: &str = include_str!("scenarios.jsonl");

/// The parts of the page that the template names, each in a file of its own.
const PARTS: [(&str, &str); 6] = [
    ("playground.css", include_str!("playground.css")),
    ("elements.js", include_str!("elements.js")),
    ("tabs.js", include_str!("tabs.js")),
    ("task.js", include_str!("task.js")),
    ("trace.js", include_str!("trace.js")),
    ("timeline.js", include_str!("timeline.js")),
];

/// The data of the page.
#[derive(Serialize)]
struct Data {
    states: Vec<State>,
    events: Vec<&'static str>,
    /// By state, by event.
    moves: Vec<Vec<moves::Move>>,
    compile_errors: Vec<moves::CompileError>,
    traces: Vec<Trace>,
}

#[derive(Serialize)]
struct State {
    /// As in the diagram: `RUNNING`.
    name: &'static str,
    /// As in a status: `running`.
    wire: &'static str,
    /// As in Rust: `Running`.
    ident: String,
    is_terminal: bool,
    /// The operation that brings a task onward from here.
    operation: Option<String>,
    /// The states, by their wire names, that edges lead to from here.
    reaches: Vec<&'static str>,
}

/// A scenario's trace, with a short explanation.
#[derive(Serialize)]
struct Trace {
    why: String,
    answer: Value,
}

/// The whole page.
///
/// # Errors
///
/// A scenario cannot be read, or the library refuses something that the page shows.
pub(crate) fn page() -> Result<String, String> {
    let data = Data {
        states: TaskState::ALL.into_iter().map(state).collect(),
        events: EventKind::ALL.into_iter().map(EventKind::as_str).collect(),
        moves: moves::all()?,
        compile_errors: moves::compile_errors(),
        traces: SCENARIOS.lines().map(trace).collect::<Result<_, _>>()?,
    };
    // In a script, `<` could begin the tag that ends it.
    let data = lines(&data)?.replace('<', "\\u003c");
    let mut page = TEMPLATE.to_owned();
    for (name, text) in PARTS {
        page = page.replace(&format!("/* {name} */\n"), text);
    }
    Ok(page.replace("<!-- lifecycle.svg -->\n", DIAGRAM).replace("<!-- data -->\n", &data))
}

fn state(state: TaskState) -> State {
    let reaches = TaskState::ALL.into_iter().filter(|to| state.can_reach(*to));
    let operation = match decide(state, TaskState::Running) {
        Decision::Perform(operation) => Some(operation.to_string()),
        Decision::Record(_) | Decision::Rest => None,
    };
    State {
        name: state.proto_name(),
        wire: state.as_str(),
        ident: format!("{state:?}"),
        is_terminal: state.is_terminal(),
        operation,
        reaches: reaches.map(TaskState::as_str).collect(),
    }
}

fn trace(line: &str) -> Result<Trace, String> {
    let scenario: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let why = scenario.get("why").and_then(Value::as_str).ok_or("a scenario has no `why`")?;
    let (answer, _) = conformance::scenario(line)?;
    let answer = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
    Ok(Trace { why: why.to_owned(), answer })
}

/// JSON with a line for each state's moves, each trace and so on, so that a change of
/// the page is a change of few lines.
fn lines(data: &Data) -> Result<String, String> {
    fn array<T: Serialize>(name: &str, items: &[T]) -> Result<String, String> {
        let items = items.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        let items = items.map_err(|error| format!("{name}: {error}"))?;
        Ok(format!("\"{name}\": [\n{}\n]", items.join(",\n")))
    }
    let arrays = [
        array("states", &data.states)?,
        array("events", &data.events)?,
        array("moves", &data.moves)?,
        array("compile_errors", &data.compile_errors)?,
        array("traces", &data.traces)?,
    ];
    Ok(format!("{{\n{}\n}}\n", arrays.join(",\n")))
}
