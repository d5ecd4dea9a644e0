//~ non-exhaustive patterns: …`TaskState::Orphaned` not covered
// The states are all known, and a match has them all.
use onward::lifecycle::TaskState;

fn has_a_workload(state: TaskState) -> bool {
    match state {
        TaskState::New | TaskState::Pending | TaskState::Assigned => false,
        TaskState::Accepted | TaskState::Preparing | TaskState::Ready => false,
        TaskState::Starting | TaskState::Running => true,
        TaskState::Complete | TaskState::Shutdown | TaskState::Failed => false,
        TaskState::Rejected | TaskState::Remove => false,
    }
}

fn main() {}
