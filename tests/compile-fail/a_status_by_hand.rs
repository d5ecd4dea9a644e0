//~ cannot create non-exhaustive struct using struct expression
// A status may get more fields.
use onward::lifecycle::{PortStatus, TaskState, TaskStatus};

fn main() {
    let _ = TaskStatus {
        timestamp: None,
        state: TaskState::Assigned,
        message: "".into(),
        err: None,
        container_status: None,
        port_status: PortStatus::default(),
    };
}
