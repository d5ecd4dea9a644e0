//~ non-exhaustive patterns: `…_` not covered
// Events, unlike states, may become more: they want an arm for the rest.
use onward::lifecycle::Event;

fn ends(event: &Event) -> bool {
    match event {
        Event::Finished | Event::ShutDown | Event::Terminated => true,
        Event::Failed(_) | Event::Orphaned => true,
        Event::Unresolved(_) | Event::Delayed(_) | Event::Interrupted(_) => false,
        Event::Allocated | Event::Assigned | Event::Accepted => false,
        Event::Preparing | Event::Prepared | Event::Starting | Event::Started => false,
    }
}

fn main() {}
