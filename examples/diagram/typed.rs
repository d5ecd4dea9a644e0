//! The typed call for each event, and the compiler's text if the call does not compile.

use onward::lifecycle::{EventKind, TaskState};

/// A text of the compiler from `tests/compile-fail`. It is about one call in one state.
pub(crate) struct Held {
    pub(crate) name: &'static str,
    pub(crate) state: TaskState,
    pub(crate) method: &'static str,
    pub(crate) text: &'static str,
}

macro_rules! held {
    ($($name:literal: $state:ident.$method:ident;)*) => {
        [$(Held {
            name: $name,
            state: TaskState::$state,
            method: stringify!($method),
            text: include_str!(concat!("../../tests/compile-fail/", $name, ".stderr")),
        }),*]
    };
}

/// One text for each way in which a move is refused.
pub(crate) const HELD: [Held; 7] = held! {
    "skip_a_state": Ready.started;
    "a_delay_after_the_end": Failed.delayed;
    "move_from_terminal": Complete.shut_down;
    "go_back": Running.accepted;
    "orphaned_before_assigned": Pending.orphaned;
    "failed_before_starting": Preparing.failed;
    "rejected_after_starting": Running.rejected;
};

impl Held {
    pub(crate) fn is(&self, state: TaskState, method: &str) -> bool {
        self.state == state && self.method == method
    }
}

/// The statements that move a `Task<S>` as the event moves an `AnyTask`.
pub(crate) fn calls(from: TaskState, kind: EventKind) -> Vec<String> {
    let note = if kind == EventKind::Unresolved {
        Some("task.unresolved(err, now);".to_owned())
    } else if matches!(kind, EventKind::Delayed | EventKind::Interrupted) {
        Some(format!("task.{}(failure, now);", method(from, kind)))
    } else {
        None
    };
    let step = kind.leads_to(from).map(|to| {
        let method = method(from, kind);
        let failure = if matches!(method, "failed" | "rejected") { "failure, " } else { "" };
        format!("let task: Task<state::{to:?}> = task.{method}({failure}now);")
    });
    note.into_iter().chain(step).collect()
}

/// A typed call that does not compile, and the place of the text to show among [`HELD`].
///
/// For an event that is refused, it is the event's call. For a failure, it is `failed`
/// before STARTING and `rejected` afterwards. For all others it is `None`.
pub(crate) fn not_compiled(
    from: TaskState,
    kind: EventKind,
    is_accepted: bool,
) -> Option<(&'static str, usize)> {
    let method = match (is_accepted, kind, method(from, kind)) {
        (false, _, method) => method,
        (true, EventKind::Failed, "rejected") => "failed",
        (true, EventKind::Failed, _) => "rejected",
        (true, ..) => return None,
    };
    let place = |is: &dyn Fn(&Held) -> bool| HELD.iter().position(is);
    let alike = || {
        let has_ended = from.is_terminal() && kind.leads_to(from).is_some();
        match (is_of_one_state(kind), has_ended) {
            (true, _) => place(&|held| held.name == "skip_a_state"),
            (false, true) => place(&|held| held.name == "move_from_terminal"),
            // `interrupted` asks for the same as `delayed`.
            (false, false) if method == "interrupted" => place(&|held| held.method == "delayed"),
            (false, false) => place(&|held| held.method == method),
        }
    };
    let held = place(&|held| held.is(from, method)).or_else(alike)?;
    Some((method, held))
}

/// Whether the event's call is a method of one state. Others ask for an edge.
fn is_of_one_state(kind: EventKind) -> bool {
    let leads = |from: &TaskState| kind.leads_to(*from).is_some_and(|to| from.can_become(to));
    TaskState::ALL.iter().filter(|from| leads(from)).count() == 1
}

fn method(from: TaskState, kind: EventKind) -> &'static str {
    if matches!(kind, EventKind::Failed | EventKind::Unresolved) {
        let is_rejection = kind.leads_to(from) == Some(TaskState::Rejected);
        return if is_rejection { "rejected" } else { "failed" };
    }
    if kind == EventKind::ShutDown { "shut_down" } else { kind.as_str() }
}
