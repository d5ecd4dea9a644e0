//! The properties of a `ControllerError`, at any depth of wrapping.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

use onward::exec::{ControllerError, ErrorKind};
use onward::lifecycle::{Answer, ContainerStatus, Operation};
use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

/// An error type of another crate, which wraps an error.
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

/// Forwards to the error that it wraps, like `transparent` of `thiserror`.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Transparent(#[from] ControllerError);

/// Wraps a shared error.
#[derive(Debug, thiserror::Error)]
#[error("sharing")]
struct Sharing(#[source] Arc<dyn Error + Send + Sync>);

/// The error, wrapped in every way that these tests cover.
fn wrappings(error: fn() -> ControllerError) -> Vec<ControllerError> {
    let outer = || ControllerError::new("outer");
    vec![
        error(),
        error().clone(),
        ControllerError::wrap(error()),
        outer().with_source(error()),
        outer().with_source(Foreign(error().into())),
        ControllerError::wrap(Foreign(Foreign(error().into()).into())),
        outer().with_source(io::Error::other(outer().with_source(error()))),
        ControllerError::from(io::Error::other(error())),
        ControllerError::wrap(Transparent(error())),
        ControllerError::wrap(io::Error::other(Transparent(error()))),
        ControllerError::wrap(Arc::new(error())),
        ControllerError::wrap(Foreign(Box::new(Arc::new(error())))),
        outer().with_source(Sharing(Arc::new(error()))),
        outer().with_source(Sharing(Arc::new(io::Error::other(Transparent(error()))))),
        ControllerError::from(Box::<dyn Error + Send + Sync>::from(Transparent(error()))),
        ControllerError::wrap(anyhow::Error::from(error())),
        ControllerError::wrap(anyhow::Error::from(error()).context("pulling")),
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
fn exit_code_and_container_status_are_found_through_any_wrapping() {
    fn status() -> ContainerStatus {
        ContainerStatus { container_id: "c".into(), pid: Some(1), exit_code: Some(9) }
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
fn the_values_of_the_outer_error_take_precedence() {
    let status = |code| ContainerStatus { exit_code: Some(code), ..ContainerStatus::default() };
    let inner = ControllerError::closed().with_exit_code(3).with_container_status(status(5));
    let outer = ControllerError::interrupted("y")
        .with_exit_code(4)
        .with_container_status(status(6))
        .with_source(inner.clone());
    assert_eq!((outer.kind(), outer.exit_code()), (ErrorKind::Interrupted, Some(4)));
    assert_eq!(outer.container_status(), Some(&status(6)));
    // An exit code of 0 counts as none, so it hides none.
    let outer = ControllerError::new("z").with_exit_code(0).with_source(inner);
    assert_eq!((outer.kind(), outer.exit_code()), (ErrorKind::Closed, Some(3)));
}

#[test]
fn a_second_source_replaces_the_first() {
    let error = ControllerError::new("o")
        .with_source(ControllerError::new("x").temporary())
        .with_source(ControllerError::new("y"));
    assert_eq!((format!("{error:#}"), error.is_temporary()), ("o: y".to_owned(), false));
}

#[test]
fn the_text_contains_each_cause_once() {
    let error = ControllerError::new("pulling alpine")
        .with_source(Foreign(io::Error::other("connection reset").into()));
    assert_eq!(error.to_string(), "pulling alpine");
    assert_eq!(format!("{error:#}"), "pulling alpine: foreign: connection reset");
    assert_eq!(error.to_failure().err, "pulling alpine: foreign: connection reset");

    let of = |text: &'static str, source: &'static str| {
        format!("{:#}", ControllerError::new(text).with_source(io::Error::other(source)))
    };
    assert_eq!(of("cannot pull: no space", "no space"), "cannot pull: no space");
    assert_eq!(of("no space", "no space"), "no space");
    assert_eq!(of("exit status 1", "1"), "exit status 1: 1");
    assert_eq!(of("no space left", "no space"), "no space left: no space");
    let repeated = ControllerError::new("a: b")
        .with_source(ControllerError::new("b").with_source(ControllerError::new("a")));
    assert_eq!(format!("{repeated:#}"), "a: b: a");

    let wrapped = ControllerError::wrap(io::Error::other("no space"));
    assert_eq!(format!("{wrapped:#}"), "no space");
    assert_eq!(format!("{:#}", anyhow::Error::from(wrapped)), "no space");
    assert_eq!(format!("{:#}", ControllerError::from("plain")), "plain");
    assert_eq!(format!("{:#}", ControllerError::from("owned".to_owned())), "owned");
}

#[test]
fn the_properties_of_an_error_are_in_the_chain_and_not_in_its_text() {
    let error = ControllerError::new("task failed").with_exit_code(3);
    assert_eq!(format!("{error:#}"), "task failed");
    assert_eq!(format!("{:#}", anyhow::Error::from(error)), "task failed: exit code 3");
}

#[test]
fn a_wrapped_error_can_be_accessed() {
    let missing = io::Error::from(io::ErrorKind::NotFound);
    let error = ControllerError::wrap(missing);
    let inside = error.get_ref().and_then(|error| error.downcast_ref::<io::Error>()).unwrap();
    assert_eq!(inside.kind(), io::ErrorKind::NotFound);
    assert!(ControllerError::new("x").with_source(inside.to_string()).get_ref().is_none());
    assert!(format!("{error:?}").contains("NotFound"), "{error:?}");
}

#[test]
fn a_static_text_is_not_copied_into_the_status() {
    let borrowed = |error: ControllerError| matches!(error.to_failure().err, Cow::Borrowed(_));
    assert!(borrowed(ControllerError::new("x").with_exit_code(3)));
    assert!(!borrowed(ControllerError::new("x").with_source("y")));
}

#[test]
fn an_error_is_one_word_in_size_and_can_be_cloned_and_sent() {
    // It is `Clone` for a pull whose result several calls share.
    fn check<T: Error + Clone + Send + Sync + 'static>() {}
    check::<ControllerError>();
    assert_eq!(size_of::<Result<(), ControllerError>>(), size_of::<usize>());
}

#[test]
fn an_error_becomes_an_answer_in_the_order_of_swarmkit() {
    use Operation as O;
    let is = |operation: O, error: ControllerError| match error.into_answer(operation) {
        Answer::Succeeded => "succeeded",
        Answer::Interrupted(_) => "interrupted",
        Answer::Delayed(_) => "delayed",
        Answer::Failed(_) => "failed",
    };
    for operation in [O::Prepare, O::Start, O::Wait, O::Shutdown, O::Terminate] {
        let as_prepare = if operation == O::Prepare { "succeeded" } else { "failed" };
        let as_start = if operation == O::Start { "succeeded" } else { "failed" };
        assert_eq!(is(operation, ControllerError::already_prepared()), as_prepare);
        assert_eq!(is(operation, ControllerError::already_started()), as_start);
        assert_eq!(is(operation, ControllerError::interrupted("x").temporary()), "interrupted");
        assert_eq!(is(operation, ControllerError::closed().temporary()), "delayed");
        assert_eq!(is(operation, ControllerError::closed()), "failed");
        assert_eq!(is(operation, ControllerError::new("x")), "failed");
    }
}
