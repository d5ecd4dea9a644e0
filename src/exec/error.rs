//! What a controller says when an operation did not succeed.

use crate::lifecycle::{Answer, ContainerStatus, Failure, Operation};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;
use core::iter;
use core::num::NonZeroI32;

/// Why an operation of a [`Controller`](super::Controller) did not succeed.
///
/// An error has a [kind](ErrorKind), is [temporary](Self::is_temporary) or
/// not, and may know the workload's exit code and its container's status. All
/// of these are found through any wrapping that keeps the chain of
/// [sources](Error::source): what an error does not say itself, the next one in
/// its chain does.
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
#[derive(Clone)]
pub struct ControllerError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    message: Cow<'static, str>,
    node: Node,
}

/// What an error is, apart from its text, and what is behind it.
///
/// It is an error of its own, and the source of a [`ControllerError`]: what
/// wraps that, and passes itself off as it, still has this in its chain.
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
    /// The reason for the error.
    Reason(Arc<dyn Error + Send + Sync>),
    /// The error itself, which has been given another type: its text is the
    /// error's own, and only what is behind it is news.
    Wrapped(Arc<dyn Error + Send + Sync>),
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

    /// Any other error, as one of this type: it has that one's text and causes,
    /// and all that its chain says. It is still there, in
    /// [`get_ref`](Self::get_ref). It is not temporary by itself.
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
        Self(Box::new(Inner { message: message.into(), node: Node { class, source: None } }))
    }

    /// Says that another try may succeed.
    ///
    /// ```
    /// use onward::ControllerError;
    /// use std::io;
    ///
    /// /// Only who has called it knows which of these may pass.
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

    /// Adds the exit code of the workload, if its kind has one. 0 is left out.
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

    /// Adds the status of the container, as it was when this happened.
    #[doc(alias = "ContainerStatuser")]
    #[must_use]
    pub fn with_container_status(mut self, status: ContainerStatus) -> Self {
        self.0.node.class.container_status = Some(status);
        self
    }

    /// Adds the reason; what this error does not say itself, that one does.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.node.source = Some(Source::Reason(source.into().into()));
        self
    }

    /// The kind: that of the first error in the chain that is no mere failure.
    pub fn kind(&self) -> ErrorKind {
        let mut kinds = self.classes().map(|class| class.kind);
        kinds.find(|kind| *kind != ErrorKind::Failure).unwrap_or_default()
    }

    /// Whether another try may succeed: whether any error in the chain says so.
    pub fn is_temporary(&self) -> bool {
        self.classes().any(|class| class.temporary)
    }

    /// Whether what was called is to be called again: another try may succeed, or it
    /// was interrupted.
    #[cfg(feature = "std")]
    pub(crate) fn is_retryable(&self) -> bool {
        self.is_temporary() || self.kind() == ErrorKind::Interrupted
    }

    /// What the workload exited with: what the first error in the chain says
    /// that knows it. It is not 0.
    pub fn exit_code(&self) -> Option<i32> {
        self.classes().find_map(|class| class.exit_code).map(NonZeroI32::get)
    }

    /// The status of the container: what the first error in the chain says that
    /// knows it.
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

    /// What each error of the chain says of itself, this one first.
    fn classes(&self) -> impl Iterator<Item = &Class> {
        let behind = chain(self.0.node.source()).filter_map(|error| error.downcast_ref::<Node>());
        iter::once(&self.0.node).chain(behind).map(|node| &node.class)
    }

    /// This error as the answer of an operation.
    ///
    /// [Already prepared](Self::already_prepared) is success of `prepare`, and
    /// [already started](Self::already_started) is success of `start`. The rest is in
    /// the order of SwarmKit's `Do`: an interruption first, then a temporary error;
    /// every other error is fatal.
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

    /// This error as a task's status records it: the text with its causes, the exit
    /// code and the container's status.
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

/// An error and all that is behind it.
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
    /// Says what the error is, for those who print a whole chain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.class.exit_code, self.class.temporary) {
            (Some(exit_code), _) => write!(f, "exit code {exit_code}"),
            (None, true) => f.write_str("temporary failure"),
            (None, false) => write!(f, "{:?}", self.class.kind),
        }
    }
}

impl fmt::Display for ControllerError {
    /// Writes the text; with `{:#}`, those of its causes as well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if !f.alternate() {
            return Ok(());
        }
        let mut shown = self.0.message.to_string();
        for error in chain(self.0.node.source()).filter(|error| !error.is::<Node>()) {
            let text = error.to_string();
            // Many errors end in the text of their source: said once is enough.
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
