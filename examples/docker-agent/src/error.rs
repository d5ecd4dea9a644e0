//! Errors of the engine: which are temporary, and how they become a task's.

use std::borrow::Cow;

use bollard::errors::Error as ClientError;
use onward::exec::ControllerError;

/// Something that the engine has refused, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    /// The HTTP status of the answer.
    pub status: u16,
    /// The engine's words.
    pub message: String,
}

/// No such object.
pub(crate) const NOT_FOUND: u16 = 404;
/// The object is in another state, or its name is in use.
pub(crate) const CONFLICT: u16 = 409;
/// The client asks too often.
const TOO_MANY_REQUESTS: u16 = 429;
/// The engine is not ready.
const UNAVAILABLE: u16 = 503;

/// The HTTP status, if the engine has answered with one.
pub(crate) fn status(error: &ClientError) -> Option<u16> {
    if let ClientError::DockerResponseServerError { status_code, .. } = error {
        return Some(*status_code);
    }
    None
}

/// Whether the engine has no such object.
pub(crate) fn is_not_found(error: &ClientError) -> bool {
    status(error) == Some(NOT_FOUND)
}

/// An error of a request as the error of an operation. `what` is its text.
///
/// A refusal (status 4xx) is final: the same request is refused again. Everything else is
/// temporary: the engine has an error of its own (5xx), cannot be reached, or has not answered in
/// a way that is understood. Then nothing is known about the container, so no task ends by it.
pub(crate) fn failed(what: impl Into<Cow<'static, str>>, error: ClientError) -> ControllerError {
    told(what.into(), error, is_refusal)
}

/// The same for a task that a scheduler replaces: an error of the engine's own is final, too.
pub(crate) fn failed_once(
    what: impl Into<Cow<'static, str>>,
    error: ClientError,
) -> ControllerError {
    let is_final = |status| is_refusal(status) || (status >= 500 && status != UNAVAILABLE);
    told(what.into(), error, is_final)
}

fn told(
    what: Cow<'static, str>,
    error: ClientError,
    is_final: impl Fn(u16) -> bool,
) -> ControllerError {
    let failed = ControllerError::new(what);
    if let ClientError::DockerResponseServerError { status_code: status, message } = error {
        let message = message.trim_end().to_owned();
        let failed = failed.with_source(EngineError { status, message });
        return if is_final(status) { failed } else { failed.temporary() };
    }
    failed.with_source(error).temporary()
}

/// The same for a request that looks at a container or ends one. A refusal is temporary too. The container may run, so no task ends by it.
pub(crate) fn unanswered(
    what: impl Into<Cow<'static, str>>,
    error: ClientError,
) -> ControllerError {
    failed(what, error).temporary()
}

/// Whether the same request would be refused again.
pub(crate) fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status) && status != TOO_MANY_REQUESTS
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn error(status_code: u16) -> ClientError {
        let message = "because\n".to_owned();
        ClientError::DockerResponseServerError { status_code, message }
    }

    fn answer(status_code: u16) -> ControllerError {
        failed("x", error(status_code))
    }

    #[test]
    fn a_refusal_is_final_and_an_error_of_the_engine_is_temporary() {
        for status in [400, 401, 403, 404, 409, 422] {
            assert!(!answer(status).is_temporary(), "{status}");
        }
        for status in [429, 500, 502, 503, 504] {
            assert!(answer(status).is_temporary(), "{status}");
        }
        assert_eq!(format!("{:#}", answer(404)), "x: because");
    }

    #[test]
    fn only_an_engine_that_is_not_ready_is_asked_twice_for_a_task_that_is_replaced() {
        for (status, is_temporary) in [(400, false), (500, false), (429, true), (503, true)] {
            let failed = failed_once("x", error(status));
            assert_eq!(failed.is_temporary(), is_temporary, "{status}");
        }
        assert!(failed_once("x", ClientError::RequestTimeoutError).is_temporary());
    }

    #[test]
    fn a_refused_look_ends_no_task() {
        let error =
            ClientError::DockerResponseServerError { status_code: 400, message: String::new() };
        assert!(unanswered("x", error).is_temporary());
    }

    #[test]
    fn an_engine_that_is_not_reached_or_not_understood_is_temporary() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let nonsense = ClientError::JsonDataError { message: "x".to_owned(), column: 1 };
        for error in [refused.into(), nonsense, ClientError::RequestTimeoutError] {
            assert!(failed("x", error).is_temporary());
        }
    }
}
