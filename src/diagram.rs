//! Diagrams of the states and edges, as Mermaid, Graphviz or Markdown.

use crate::lifecycle::{Actor, EDGES, EventKind, TaskState, Transition};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The output format of a [`Diagram`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DiagramFormat {
    /// A Mermaid flowchart.
    Mermaid,
    /// A Graphviz digraph.
    Dot,
    /// A Markdown table with one row for each state.
    Markdown,
}

/// A diagram of all states and edges. Its [`Display`](fmt::Display) writes it.
///
/// - Each arrow is an edge, in the color of the state that it leads to.
/// - An arrow is dashed if the agent does not take the edge.
/// - Below the name of a state are the events that lead to it.
/// - The actor is the agent, if no other is named.
///
/// `cargo run --example diagram -- mermaid` prints it.
///
/// ```
/// use onward::diagram::{Diagram, DiagramFormat};
///
/// let table = Diagram::new(DiagramFormat::Markdown).to_string();
/// let row = table.lines().nth(9);
/// assert_eq!(row, Some("| RUNNING | COMPLETE | SHUTDOWN, FAILED, ORPHANED (dispatcher or control API) |"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagram {
    format: DiagramFormat,
    untaken: Vec<Transition>,
}

impl Diagram {
    /// The whole table, without marks.
    pub const fn new(format: DiagramFormat) -> Self {
        Self { format, untaken: Vec::new() }
    }

    /// Marks edges as not taken, for example the edges that a test suite never took.
    #[must_use]
    pub fn with_untaken(mut self, edges: impl IntoIterator<Item = Transition>) -> Self {
        self.untaken.extend(edges);
        self
    }
}

impl fmt::Display for Diagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            DiagramFormat::Mermaid => self.mermaid(f),
            DiagramFormat::Dot => self.dot(f),
            DiagramFormat::Markdown => self.markdown(f),
        }
    }
}

const INK: &str = "#212529";
const UNTAKEN: &str = "#e6007e";

impl Diagram {
    fn mermaid(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "flowchart TB")?;
        for state in drawn() {
            let (name, caption, paint) = (state.proto_name(), caption(state), Paint::of(state));
            let line = if caption.is_empty() { "" } else { "<br/>" };
            writeln!(f, "    {name}([\"<b>{name}</b>{line}{caption}\"])")?;
            writeln!(f, "    style {name} fill:{},stroke:{},color:{INK}", paint.fill, paint.line)?;
        }
        for (at, edge) in EDGES.iter().enumerate() {
            let (arrow, label) = match (self.is_untaken(edge), is_agents(edge)) {
                (true, _) => ("==>", String::from("untaken")),
                (false, true) => ("-->", label(edge)),
                (false, false) => ("-.->", label(edge)),
            };
            let label = if label.is_empty() { label } else { format!("|{label}|") };
            let (from, to) = (edge.from.proto_name(), edge.to.proto_name());
            writeln!(f, "    {from} {arrow}{label} {to}")?;
            writeln!(f, "    linkStyle {at} stroke:{}", self.line(edge))?;
        }
        Ok(())
    }

    fn dot(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "digraph task {{")?;
        writeln!(f, "    bgcolor=white; nodesep=0.35; ranksep=0.35;")?;
        writeln!(f, "    node [shape=box, style=\"rounded,filled\", fontcolor=\"{INK}\"];")?;
        writeln!(f, "    node [fontname=\"sans-serif\", fontsize=11];")?;
        writeln!(f, "    edge [fontname=\"sans-serif\", fontsize=10, fontcolor=\"{INK}\"];")?;
        for state in drawn() {
            let (name, caption, paint) = (state.proto_name(), caption(state), Paint::of(state));
            let line = if caption.is_empty() { "" } else { "<br/>" };
            write!(f, "    {name} [label=<<b>{name}</b>{line}{caption}>, ")?;
            writeln!(f, "fillcolor=\"{}\", color=\"{}\"];", paint.fill, paint.line)?;
        }
        for edge in EDGES {
            let (style, label) = match (self.is_untaken(edge), is_agents(edge)) {
                (true, _) => ("bold", String::from("untaken")),
                (false, true) => ("solid", label(edge)),
                (false, false) => ("dashed", label(edge)),
            };
            let (from, to) = (edge.from.proto_name(), edge.to.proto_name());
            write!(f, "    {from} -> {to} [style={style}, label=\"{label}\", ")?;
            writeln!(f, "color=\"{}\"];", self.line(edge))?;
        }
        writeln!(f, "}}")
    }

    fn markdown(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| from | onward to | or ends as |\n|---|---|---|")?;
        for from in drawn().filter(|state| !state.is_terminal()) {
            let cell = |ends| self.cell(from, ends);
            let is_end = |state: TaskState| state.is_terminal() && state != TaskState::Complete;
            let (onward, ends) = (cell(&|to| !is_end(to)), cell(&is_end));
            writeln!(f, "| {} | {onward} | {ends} |", from.proto_name())?;
        }
        Ok(())
    }

    /// The states that edges lead to from `from`, with the actors if they are not the
    /// agent.
    fn cell(&self, from: TaskState, of: &dyn Fn(TaskState) -> bool) -> String {
        let edges = EDGES.iter().filter(|edge| edge.from == from && of(edge.to));
        let targets: Vec<_> = edges
            .map(|edge| match (self.is_untaken(edge), edge.by) {
                (true, _) => format!("{} **(untaken)**", edge.to.proto_name()),
                (false, [Actor::Agent]) => String::from(edge.to.proto_name()),
                (false, by) => format!("{} ({})", edge.to.proto_name(), any_of(by)),
            })
            .collect();
        targets.join(", ")
    }

    fn is_untaken(&self, edge: &Transition) -> bool {
        self.untaken.contains(edge)
    }

    fn line(&self, edge: &Transition) -> &'static str {
        if self.is_untaken(edge) { UNTAKEN } else { Paint::of(edge.to).line }
    }
}

/// The states that have at least one edge.
fn drawn() -> impl Iterator<Item = TaskState> {
    let has_edge = |state| EDGES.iter().any(|edge| edge.from == state || edge.to == state);
    TaskState::ALL.into_iter().filter(move |state| has_edge(*state))
}

fn is_agents(edge: &Transition) -> bool {
    edge.by.contains(&Actor::Agent)
}

/// The events that lead to a state, and the actors if they are the same for every edge
/// and not the agent.
fn caption(state: TaskState) -> String {
    let leads_here =
        |kind: &EventKind| EDGES.iter().any(|edge| kind.leads_to(edge.from) == Some(state));
    let events: Vec<_> = EventKind::ALL.into_iter().filter(leads_here).collect();
    match common(state) {
        None | Some([Actor::Agent]) => any_of(&events),
        Some(by) => {
            let actors: Vec<_> = by.iter().map(|actor| format!("the {actor}")).collect();
            format!("{} by {}", any_of(&events), any_of(&actors))
        }
    }
}

/// The actors of an edge, if the caption of the state does not name them and they are not
/// only the agent.
fn label(edge: &Transition) -> String {
    if edge.by == [Actor::Agent] || common(edge.to).is_some() {
        return String::new();
    }
    any_of(edge.by)
}

/// The actors of all edges that lead to a state, if they are the same for all.
fn common(to: TaskState) -> Option<&'static [Actor]> {
    let mut by = EDGES.iter().filter(|edge| edge.to == to).map(|edge| edge.by);
    by.next().filter(|first| by.all(|other| other == *first))
}

fn any_of(names: &[impl fmt::Display]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("{name}")).collect();
    names.join(" or ")
}

/// The colors of a state.
struct Paint {
    line: &'static str,
    fill: &'static str,
}

impl Paint {
    const fn of(state: TaskState) -> Self {
        let (line, fill) = match state {
            TaskState::Complete => ("#2b8a3e", "#d3f9d8"),
            TaskState::Shutdown => ("#868e96", "#f1f3f5"),
            TaskState::Failed => ("#c92a2a", "#ffe3e3"),
            TaskState::Rejected => ("#e8590c", "#ffe8cc"),
            TaskState::Orphaned => ("#7048e8", "#e5dbff"),
            TaskState::New
            | TaskState::Pending
            | TaskState::Assigned
            | TaskState::Accepted
            | TaskState::Preparing
            | TaskState::Ready
            | TaskState::Starting
            | TaskState::Running
            | TaskState::Remove => ("#1971c2", "#e7f5ff"),
        };
        Self { line, fill }
    }
}
