//! `ControllerError`: why a controller's operation failed, and whether it can be retried.

use crate::lifecycle::{Answer, ContainerStatus, Failure, Operation};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;
use core::iter;
use core::num::NonZeroI32;

/// The error of a [`Controller`](super::Controller)'s operation.
///
/// It has a [kind](ErrorKind), and is [temporary](Self::is_temporary) or fatal. It can
/// have the workload's exit code and its container's status. If this error does not have
/// one of these, the next error in its chain of [sources](Error::source) that has it
/// counts. Wrapping an error therefore keeps them, as long as the wrapper keeps the
/// chain.
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
/// It is one word in size. `{}` writes its own text. `{:#}` writes the texts of its
/// causes too, which is the text that a task's status gets as `err`.
///
/// SwarmKit has sentinel errors and interfaces instead: `ErrTaskPrepared`,
/// `ErrTaskStarted`, `ErrTaskUpdateRejected`, `ErrControllerClosed`, `Temporary`,
/// `ExitCoder`, `ContainerStatuser`.
#[derive(Clone)]
pub struct ControllerError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    message: Cow<'static, str>,
    node: Node,
}

/// The properties of an error without its text, and its source.
///
/// It is an error of its own, and the source of a [`ControllerError`]. If another error
/// wraps a `ControllerError` and returns only that error's source, the properties are
/// still in the chain.
#[derive(Clone, Default, Debug)]
struct Node {
    class: Class,
    source: Option<Source>,
}

#[derive(Clone, Default, PartialEq, Debug)]
struct Class {
    kind: ErrorKind,
    temporary: bool,
    exit_code: Option<NonZeroI32>,
    container_status: Option<ContainerStatus>,
}

#[derive(Clone, Debug)]
enum Source {
    /// The cause of the error.
    Reason(Arc<dyn Error + Send + Sync>),
    /// An error of another type that [`ControllerError::wrap`] converted. Its text is
    /// already the text of this error, so only its sources are causes.
    Wrapped(Arc<dyn Error + Send + Sync>),
}

/// The kind of a [`ControllerError`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operation failed.
    #[default]
    Failure,
    /// The task was already prepared. Counts as success of `prepare`.
    AlreadyPrepared,
    /// The workload was already started. Counts as success of `start`.
    AlreadyStarted,
    /// The definition has a change that the controller cannot make.
    UpdateRejected,
    /// The controller was closed before the call.
    Closed,
    /// The operation was interrupted from outside, so its result is unknown. It is called
    /// again.
    Interrupted,
}

impl ControllerError {
    /// A fatal failure. A `&'static str` is not copied.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of_kind(ErrorKind::Failure, message)
    }

    /// Converts any other error. The result has the text, the causes and the properties
    /// of that error's chain. [`get_ref`](Self::get_ref) returns the error itself.
    ///
    /// The result is temporary only if an error in the chain is.
    ///
    /// ```
    /// use onward::ControllerError;
    /// use std::fs;
    ///
    /// fn read(path: &str) -> Result<Vec<u8>, ControllerError> {
    ///     fs::read(path).map_err(ControllerError::wrap)
    /// }
    /// assert!(!read("/there/is/none").unwrap_err().is_temporary());
    /// ```
    pub fn wrap(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        match error.into().downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => {
                let message = error.to_string().into();
                let source = Some(Source::Wrapped(error.into()));
                Self(Box::new(Inner { message, node: Node { source, ..Node::default() } }))
            }
        }
    }

    /// The task was already prepared. Counts as success of `prepare`.
    #[doc(alias = "ErrTaskPrepared")]
    pub fn already_prepared() -> Self {
        Self::of_kind(ErrorKind::AlreadyPrepared, "already prepared")
    }

    /// The workload was already started. Counts as success of `start`.
    #[doc(alias = "ErrTaskStarted")]
    pub fn already_started() -> Self {
        Self::of_kind(ErrorKind::AlreadyStarted, "already started")
    }

    /// The definition has a change that the controller cannot make. `message` names it.
    #[doc(alias = "ErrTaskUpdateRejected")]
    pub fn update_rejected(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of_kind(ErrorKind::UpdateRejected, message)
    }

    /// The controller was closed before the call.
    #[doc(alias = "ErrControllerClosed")]
    pub fn closed() -> Self {
        Self::of_kind(ErrorKind::Closed, "controller closed")
    }

    /// The operation was interrupted from outside. `message` is the reason.
    pub fn interrupted(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of_kind(ErrorKind::Interrupted, message)
    }

    /// An error of the given kind.
    pub fn of_kind(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let class = Class { kind, ..Class::default() };
        Self(Box::new(Inner { message: message.into(), node: Node { class, source: None } }))
    }

    /// Marks the error as temporary: the operation is called again later.
    ///
    /// ```
    /// use onward::ControllerError;
    /// use std::io;
    ///
    /// /// Decides by the code of the error whether a retry can succeed.
    /// fn not_reached(error: io::Error) -> ControllerError {
    ///     match error.kind() {
    ///         io::ErrorKind::ConnectionReset => ControllerError::wrap(error).temporary(),
    ///         _ => ControllerError::wrap(error),
    ///     }
    /// }
    /// assert!(not_reached(io::ErrorKind::ConnectionReset.into()).is_temporary());
    /// assert!(!not_reached(io::ErrorKind::NotFound.into()).is_temporary());
    /// ```
    #[must_use]
    pub fn temporary(mut self) -> Self {
        self.0.node.class.temporary = true;
        self
    }

    /// Adds the exit code of the workload. 0 is ignored.
    ///
    /// ```
    /// use onward::ControllerError;
    ///
    /// let error = ControllerError::new("it was killed").with_exit_code(128 + 9);
    /// assert_eq!(error.exit_code(), Some(137));
    /// ```
    #[doc(alias = "ExitCoder")]
    #[must_use]
    pub fn with_exit_code(mut self, exit_code: i32) -> Self {
        self.0.node.class.exit_code = NonZeroI32::new(exit_code);
        self
    }

    /// Adds the status of the container at the time of the error.
    #[doc(alias = "ContainerStatuser")]
    #[must_use]
    pub fn with_container_status(mut self, status: ContainerStatus) -> Self {
        self.0.node.class.container_status = Some(status);
        self
    }

    /// Adds the cause. If this error has no exit code, container status or kind of its
    /// own, that of the cause counts.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.node.source = Some(Source::Reason(source.into().into()));
        self
    }

    /// The kind of the first error in the chain that is not a plain
    /// [`Failure`](ErrorKind::Failure).
    pub fn kind(&self) -> ErrorKind {
        let mut kinds = self.classes().map(|class| class.kind);
        kinds.find(|kind| *kind != ErrorKind::Failure).unwrap_or_default()
    }

    /// Whether a retry can succeed: an error in the chain is marked as temporary.
    pub fn is_temporary(&self) -> bool {
        self.classes().any(|class| class.temporary)
    }

    /// Whether the operation is called again: the error is temporary, or an interruption.
    #[cfg(feature = "std")]
    pub(crate) fn is_retryable(&self) -> bool {
        self.is_temporary() || self.kind() == ErrorKind::Interrupted
    }

    /// The exit code of the workload, from the first error in the chain that has one. It
    /// is not 0.
    pub fn exit_code(&self) -> Option<i32> {
        self.classes().find_map(|class| class.exit_code).map(NonZeroI32::get)
    }

    /// The status of the container, from the first error in the chain that has one.
    pub fn container_status(&self) -> Option<&ContainerStatus> {
        self.classes().find_map(|class| class.container_status.as_ref())
    }

    /// The error that was [wrapped](Self::wrap), if this is one.
    pub fn get_ref(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.node.source {
            Some(Source::Wrapped(error)) => Some(&**error),
            Some(Source::Reason(_)) | None => None,
        }
    }

    /// The properties of each error in the chain, this one first.
    fn classes(&self) -> impl Iterator<Item = &Class> {
        let behind = chain(self.0.node.source()).filter_map(|error| error.downcast_ref::<Node>());
        iter::once(&self.0.node).chain(behind).map(|node| &node.class)
    }

    /// Converts this error to the answer of an operation. The first row that matches
    /// applies, in the order of SwarmKit's `Do`:
    ///
    /// | Error | Answer |
    /// |---|---|
    /// | [already prepared](Self::already_prepared) of `prepare`, [already started](Self::already_started) of `start` | succeeded |
    /// | [interrupted](Self::interrupted) | interrupted |
    /// | [temporary](Self::temporary) | delayed |
    /// | any other | failed |
    ///
    /// ```
    /// use onward::ControllerError;
    /// use onward::lifecycle::{Answer, Operation};
    ///
    /// let busy = ControllerError::new("registry is busy").temporary();
    /// assert!(matches!(busy.into_answer(Operation::Prepare), Answer::Delayed(_)));
    ///
    /// let started = ControllerError::already_started();
    /// assert_eq!(started.into_answer(Operation::Start), Answer::Succeeded);
    /// ```
    pub fn into_answer(self, operation: Operation) -> Answer {
        match (operation, self.kind()) {
            (Operation::Prepare, ErrorKind::AlreadyPrepared)
            | (Operation::Start, ErrorKind::AlreadyStarted) => Answer::Succeeded,
            (_, ErrorKind::Interrupted) => Answer::Interrupted(Box::new(self.into())),
            _ if self.is_temporary() => Answer::Delayed(Box::new(self.into())),
            _ => Answer::Failed(Box::new(self.into())),
        }
    }

    /// Converts this error to the form that a task's status records: the text with its
    /// causes, the exit code and the container's status.
    pub fn to_failure(&self) -> Failure {
        let err = match &self.0.message {
            Cow::Borrowed(text) if self.0.node.source.is_none() => Cow::Borrowed(*text),
            Cow::Borrowed(_) | Cow::Owned(_) => Cow::Owned(alloc::format!("{self:#}")),
        };
        let failure = Failure::new(err).with_exit_code(self.exit_code().unwrap_or(0));
        match self.container_status() {
            Some(status) => failure.with_container_status(status.clone()),
            None => failure,
        }
    }
}

/// An error and all its sources.
fn chain<'a>(
    first: Option<&'a (dyn Error + 'static)>,
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(first, |&error| error.source())
}

impl Error for Node {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.source.as_ref()? {
            Source::Reason(reason) => Some(&**reason),
            Source::Wrapped(error) => error.source(),
        }
    }
}

impl fmt::Display for Node {
    /// Writes the properties, for code that prints every error of a chain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.class.exit_code, self.class.temporary) {
            (Some(exit_code), _) => write!(f, "exit code {exit_code}"),
            (None, true) => f.write_str("temporary failure"),
            (None, false) => write!(f, "{:?}", self.class.kind),
        }
    }
}

impl fmt::Display for ControllerError {
    /// Writes the text. `{:#}` appends the texts of the causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if !f.alternate() {
            return Ok(());
        }
        let mut shown = self.0.message.to_string();
        for error in chain(self.0.node.source()).filter(|error| !error.is::<Node>()) {
            let text = error.to_string();
            // Many errors end in the text of their source. Do not write that text twice.
            let said = shown.strip_suffix(&*text);
            if !said.is_some_and(|before| before.is_empty() || before.ends_with(": ")) {
                write!(f, ": {text}")?;
            }
            shown = text;
        }
        Ok(())
    }
}

impl fmt::Debug for ControllerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { message, node: Node { class, source } } = &*self.0;
        f.debug_struct("ControllerError")
            .field("message", message)
            .field("class", class)
            .field("source", source)
            .finish()
    }
}

impl Error for ControllerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        if self.0.node.class == Class::default() {
            return self.0.node.source();
        }
        Some(&self.0.node)
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

impl From<Box<dyn Error + Send + Sync>> for ControllerError {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self::wrap(error)
    }
}

#[cfg(feature = "std")]
impl From<std::io::Error> for ControllerError {
    fn from(error: std::io::Error) -> Self {
        Self::wrap(error)
    }
}
