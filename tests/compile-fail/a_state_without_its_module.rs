//~ expected tuple struct or tuple variant, found struct `Ready`
// On its own, `Ready` reads as `Poll::Ready`.
use onward::lifecycle::state::*;
use std::task::Poll;

fn is_there(poll: Poll<()>) -> bool {
    match poll {
        Ready(()) => true,
        Poll::Pending => false,
    }
}

fn main() {}
