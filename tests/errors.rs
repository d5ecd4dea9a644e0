//! What an error says of itself, however deeply it is wrapped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

use onward::exec::{ControllerError, ErrorKind};
use onward::lifecycle::{ContainerStatus, Event, Operation};
use std::error::Error;
use std::{fmt, io};

/// Somebody else's error, which wraps.
#[derive(Debug)]
struct Foreign(Box<dyn Error + Send + Sync>);

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("foreign")
    }
}

impl Error for Foreign {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// Every way that the tests know to wrap an error.
fn wrappings(error: fn() -> ControllerError) -> [ControllerError; 6] {
    [
        error(),
        ControllerError::wrap(error()),
        ControllerError::new("outer").with_source(error()),
        ControllerError::new("outer").with_source(Foreign(error().into())),
        ControllerError::wrap(Foreign(Foreign(error().into()).into())),
        ControllerError::new("a")
            .with_source(io::Error::other(ControllerError::new("b").with_source(error()))),
    ]
}

#[test]
fn every_kind_is_found_through_any_wrapping() {
    for kind in [
        ErrorKind::AlreadyPrepared,
        ErrorKind::AlreadyStarted,
        ErrorKind::UpdateRejected,
        ErrorKind::Closed,
        ErrorKind::Interrupted,
        ErrorKind::Failure,
    ] {
        let error: fn() -> ControllerError = match kind {
            ErrorKind::AlreadyPrepared => ControllerError::already_prepared,
            ErrorKind::AlreadyStarted => ControllerError::already_started,
            ErrorKind::UpdateRejected => || ControllerError::update_rejected("no"),
            ErrorKind::Closed => ControllerError::closed,
            ErrorKind::Interrupted => || ControllerError::interrupted("no"),
            _ => || ControllerError::new("no"),
        };
        for error in wrappings(error) {
            assert_eq!(error.kind(), kind, "{error:#}");
            assert!(!error.is_temporary());
        }
    }
}

#[test]
fn what_an_error_knows_is_found_through_any_wrapping() {
    fn status() -> ContainerStatus {
        ContainerStatus { container_id: "c".into(), pid: 1, exit_code: 9 }
    }
    let error =
        || ControllerError::new("x").temporary().with_exit_code(3).with_container_status(status());
    for error in wrappings(error) {
        assert!(error.is_temporary(), "{error:#}");
        assert_eq!(error.exit_code(), Some(3), "{error:#}");
        assert_eq!(error.container_status(), Some(&status()), "{error:#}");
    }
}

#[test]
fn what_the_outer_error_says_itself_comes_first() {
    let inner = ControllerError::closed().with_exit_code(3);
    let outer = ControllerError::interrupted("y").with_exit_code(4).with_source(inner);
    assert_eq!((outer.kind(), outer.exit_code()), (ErrorKind::Interrupted, Some(4)));
}

#[test]
fn the_text_has_the_causes_once_each() {
    let error = ControllerError::new("pulling alpine")
        .with_source(Foreign(io::Error::other("connection reset").into()));
    assert_eq!(error.to_string(), "pulling alpine");
    assert_eq!(format!("{error:#}"), "pulling alpine: foreign: connection reset");
    assert_eq!(error.to_failure().err, "pulling alpine: foreign: connection reset");

    let said =
        ControllerError::new("cannot pull: no space").with_source(io::Error::other("no space"));
    assert_eq!(format!("{said:#}"), "cannot pull: no space");
    let wrapped = ControllerError::wrap(io::Error::other("no space"));
    assert_eq!(format!("{wrapped:#}"), "no space");
    assert_eq!(format!("{:#}", ControllerError::from("plain")), "plain");
}

#[test]
fn an_error_is_one_word_and_travels() {
    fn check<T: Error + Send + Sync + 'static>() {}
    check::<ControllerError>();
    assert_eq!(size_of::<Result<(), ControllerError>>(), size_of::<usize>());
}

#[test]
fn an_error_is_classed_in_the_order_of_swarmkit() {
    use Operation as O;
    let is = |operation: O, error: ControllerError| match error.into_event(operation) {
        Event::Prepared => "prepared",
        Event::Started => "started",
        Event::Interrupted(_) => "interrupted",
        Event::Delayed(_) => "delayed",
        Event::Failed(_) => "failed",
        other => panic!("{other}"),
    };
    for operation in [O::Prepare, O::Start, O::Wait, O::Shutdown, O::Terminate] {
        let as_prepare = if operation == O::Prepare { "prepared" } else { "failed" };
        let as_start = if operation == O::Start { "started" } else { "failed" };
        assert_eq!(is(operation, ControllerError::already_prepared()), as_prepare);
        assert_eq!(is(operation, ControllerError::already_started()), as_start);
        assert_eq!(is(operation, ControllerError::interrupted("x").temporary()), "interrupted");
        assert_eq!(is(operation, ControllerError::closed().temporary()), "delayed");
        assert_eq!(is(operation, ControllerError::closed()), "failed");
        assert_eq!(is(operation, ControllerError::new("x")), "failed");
    }
}
