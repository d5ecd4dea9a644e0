//! What a controller says when an operation did not succeed.

use crate::lifecycle::{ContainerStatus, Event, Failure, Operation};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::error::Error;
use core::fmt;

/// Why an operation of a [`Controller`](super::Controller) did not succeed.
///
/// An error has a [kind](ErrorKind), is [temporary](Self::is_temporary) or
/// not, and may know the workload's exit code and its container's status. All
/// of these are found through any wrapping: an error whose
/// [source](Self::with_source) is, or wraps, another `ControllerError` takes
/// from it what it does not say itself.
///
/// ```
/// use onward::exec::{ControllerError, ErrorKind};
/// use std::io;
///
/// let cut = ControllerError::new("connection reset").temporary();
/// let pull = ControllerError::new("pulling alpine").with_source(io::Error::other(cut));
///
/// assert!(pull.is_temporary());
/// assert_eq!(pull.kind(), ErrorKind::Failure);
/// assert_eq!(pull.to_string(), "pulling alpine");
/// assert_eq!(format!("{pull:#}"), "pulling alpine: connection reset");
/// ```
///
/// It is one word in size. `{}` shows its own text, `{:#}` its causes as well,
/// and that is what a task's status gets as `err`.
///
/// In SwarmKit these are sentinel errors and interfaces: `ErrTaskPrepared`,
/// `ErrTaskStarted`, `ErrTaskUpdateRejected`, `ErrControllerClosed`,
/// `Temporary`, `ExitCoder`, `ContainerStatuser`.
pub struct ControllerError(Box<Inner>);

struct Inner {
    message: Cow<'static, str>,
    class: Class,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What an error is, apart from its text.
#[derive(Clone, Default, Debug)]
struct Class {
    kind: ErrorKind,
    temporary: bool,
    exit_code: Option<i32>,
    container_status: Option<ContainerStatus>,
}

/// What kind of error a [`ControllerError`] is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operation failed.
    #[default]
    Failure,
    /// There was nothing to prepare any more. As the answer of `prepare` this
    /// is success.
    AlreadyPrepared,
    /// It had been started before. As the answer of `start` this is success.
    AlreadyStarted,
    /// The definition changes what the controller cannot change.
    UpdateRejected,
    /// The controller was closed before.
    Closed,
    /// The operation was interrupted from outside. Nothing was learned; it is
    /// to be tried again.
    Interrupted,
}

impl ControllerError {
    /// A failure. Nothing is allocated for the text of a `&'static str`.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of_kind(ErrorKind::Failure, message)
    }

    /// A failure that another error is the reason for, and whose text it has.
    pub fn wrap(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        match source.downcast::<Self>() {
            Ok(error) => *error,
            Err(source) => {
                let mut error = Self::new(source.to_string());
                error.learn_from(Some(&*source));
                // Its text is ours already: go on with its own causes.
                error.0.source = Some(source);
                error
            }
        }
    }

    /// Preparation was complete before.
    #[doc(alias = "ErrTaskPrepared")]
    pub fn already_prepared() -> Self {
        Self::of_kind(ErrorKind::AlreadyPrepared, "already prepared")
    }

    /// The workload had been started before.
    #[doc(alias = "ErrTaskStarted")]
    pub fn already_started() -> Self {
        Self::of_kind(ErrorKind::AlreadyStarted, "already started")
    }

    /// The definition changes what cannot be changed; `message` says what.
    #[doc(alias = "ErrTaskUpdateRejected")]
    pub fn update_rejected(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of_kind(ErrorKind::UpdateRejected, message)
    }

    /// The controller was closed before.
    #[doc(alias = "ErrControllerClosed")]
    pub fn closed() -> Self {
        Self::of_kind(ErrorKind::Closed, "controller closed")
    }

    /// The operation was interrupted from outside; `message` says by what.
    pub fn interrupted(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of_kind(ErrorKind::Interrupted, message)
    }

    /// An error of any kind.
    pub fn of_kind(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let class = Class { kind, ..Class::default() };
        Self(Box::new(Inner { message: message.into(), class, source: None }))
    }

    /// Says that another try may succeed.
    #[must_use]
    pub fn temporary(mut self) -> Self {
        self.0.class.temporary = true;
        self
    }

    /// Adds what the workload exited with.
    #[doc(alias = "ExitCoder")]
    #[must_use]
    pub fn with_exit_code(mut self, exit_code: i32) -> Self {
        self.0.class.exit_code = Some(exit_code);
        self
    }

    /// Adds the status of the container, as it was when this happened.
    #[doc(alias = "ContainerStatuser")]
    #[must_use]
    pub fn with_container_status(mut self, status: ContainerStatus) -> Self {
        self.0.class.container_status = Some(status);
        self
    }

    /// Adds the reason, and takes from it what this error does not say itself.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        self.learn_from(Some(&*source));
        self.0.source = Some(source);
        self
    }

    /// The kind: that of the first error in the chain that is no mere failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.class.kind
    }

    /// Whether another try may succeed: whether any error in the chain says so.
    pub fn is_temporary(&self) -> bool {
        self.0.class.temporary
    }

    /// What the workload exited with: what the first error in the chain says.
    pub fn exit_code(&self) -> Option<i32> {
        self.0.class.exit_code
    }

    /// The status of the container: what the first error in the chain says.
    pub fn container_status(&self) -> Option<&ContainerStatus> {
        self.0.class.container_status.as_ref()
    }

    /// What this error, as the answer of an operation, means for the task.
    ///
    /// The order is that of SwarmKit's `Do`: an interruption says nothing else,
    /// a temporary error is tried again, all others are fatal.
    pub fn into_event(self, operation: Operation) -> Event {
        match (operation, self.kind()) {
            (Operation::Prepare, ErrorKind::AlreadyPrepared) => Event::Prepared,
            (Operation::Start, ErrorKind::AlreadyStarted) => Event::Started,
            (_, ErrorKind::Interrupted) => Event::Interrupted(Box::new(self.into())),
            _ if self.is_temporary() => Event::Delayed(Box::new(self.into())),
            _ => Event::Failed(Box::new(self.into())),
        }
    }

    /// What a task's status says of this error: its text with its causes, the
    /// exit code and the container's status.
    pub fn to_failure(&self) -> Failure {
        let err = match (&self.0.message, &self.0.source) {
            (Cow::Borrowed(text), None) => Cow::Borrowed(*text),
            _ => Cow::Owned(alloc::format!("{self:#}")),
        };
        let mut failure = Failure::new(err).with_exit_code(self.exit_code().unwrap_or(0));
        failure.container_status = self.container_status().cloned();
        failure
    }

    /// Takes from the errors of a chain what this one does not say itself.
    fn learn_from(&mut self, mut source: Option<&(dyn Error + 'static)>) {
        while let Some(error) = source {
            if let Some(Self(inner)) = error.downcast_ref() {
                // It has learned from its own chain already.
                return self.0.class.learn(&inner.class);
            }
            source = next_in_chain(error);
        }
    }
}

impl Class {
    fn learn(&mut self, other: &Self) {
        if self.kind == ErrorKind::Failure {
            self.kind = other.kind;
        }
        self.temporary |= other.temporary;
        self.exit_code = self.exit_code.or(other.exit_code);
        if self.container_status.is_none() {
            self.container_status.clone_from(&other.container_status);
        }
    }
}

/// What an error wraps.
///
/// An `io::Error` made from another error has that one's text, and for its
/// source that one's source: `source` alone would leave it out.
fn next_in_chain<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    #[cfg(feature = "std")]
    if let Some(wrapped) = error.downcast_ref().and_then(std::io::Error::get_ref) {
        return Some(wrapped);
    }
    error.source()
}

impl fmt::Display for ControllerError {
    /// Writes the text; with `{:#}`, those of its causes as well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if !f.alternate() {
            return Ok(());
        }
        let mut shown = self.0.message.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            let text = error.to_string();
            // Many errors end in the text of their source: said once is enough.
            if !shown.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            shown = text;
            source = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for ControllerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { message, class, source } = &*self.0;
        f.debug_struct("ControllerError")
            .field("message", message)
            .field("kind", &class.kind)
            .field("temporary", &class.temporary)
            .field("exit_code", &class.exit_code)
            .field("container_status", &class.container_status)
            .field("source", source)
            .finish()
    }
}

impl Error for ControllerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<ControllerError> for Failure {
    fn from(error: ControllerError) -> Self {
        error.to_failure()
    }
}

impl From<&'static str> for ControllerError {
    fn from(message: &'static str) -> Self {
        Self::new(message)
    }
}

impl From<String> for ControllerError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

#[cfg(feature = "std")]
impl From<std::io::Error> for ControllerError {
    fn from(error: std::io::Error) -> Self {
        Self::wrap(error)
    }
}
