//~ cannot borrow `*controller` as mutable more than once at a time
// An operation has the controller for itself until it is done or dropped.
use onward::exec::Controller;

async fn both(controller: &mut impl Controller) {
    let waiting = controller.wait();
    let stopping = controller.shutdown();
    let _ = (waiting.await, stopping.await);
}

fn main() {}
