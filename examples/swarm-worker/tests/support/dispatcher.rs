//! The dispatcher's part of a fake manager. The test is the manager: it gets each call, and sends
//! the messages of the streams.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, stream};
use swarm_worker::wire::assignment::Item;
use swarm_worker::wire::assignment_change::AssignmentAction;
use swarm_worker::wire::assignments_message::Type;
use swarm_worker::wire::{
    Assignment, AssignmentChange, AssignmentsMessage, AssignmentsRequest, HeartbeatRequest,
    HeartbeatResponse, SessionMessage, SessionRequest, UpdateTaskStatusRequest,
    UpdateTaskStatusResponse, dispatcher_server,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Request, Response, Status};

/// No test waits longer.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A stream of messages to the worker.
pub(crate) type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Sends the messages of a stream. The stream ends when it is dropped.
pub(crate) type ToWorker<T> = mpsc::UnboundedSender<Result<T, Status>>;

/// The calls of one kind.
pub(crate) struct Calls<T> {
    name: &'static str,
    receiver: mpsc::UnboundedReceiver<T>,
}

impl<T> Calls<T> {
    pub(crate) fn new(name: &'static str) -> (mpsc::UnboundedSender<T>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self { name, receiver })
    }

    /// Waits for the next call.
    pub(crate) async fn next(&mut self) -> T {
        let next = timeout(LIMIT, self.receiver.recv()).await;
        next.unwrap_or_else(|_| panic!("no {} within {LIMIT:?}", self.name)).unwrap()
    }

    /// The next call, if it has come.
    pub(crate) fn now(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

/// A call that is answered with a stream: the request, and the sender of messages.
pub(crate) type StreamCall<Q, A> = (Q, ToWorker<A>);

type Answer<Q, A> = Box<dyn FnMut(&Q) -> Result<A, Status> + Send>;

/// How the calls without a stream are answered.
pub(crate) struct Answers {
    pub(crate) heartbeat: Answer<HeartbeatRequest, Duration>,
    pub(crate) statuses: Answer<UpdateTaskStatusRequest, ()>,
    /// Before a session is opened.
    pub(crate) session: Answer<SessionRequest, ()>,
}

/// The dispatcher, as the test sees it.
pub(crate) struct Dispatcher {
    pub(crate) sessions: Calls<StreamCall<SessionRequest, SessionMessage>>,
    pub(crate) assignments: Calls<StreamCall<AssignmentsRequest, AssignmentsMessage>>,
    pub(crate) statuses: Calls<UpdateTaskStatusRequest>,
    pub(crate) heartbeats: Calls<HeartbeatRequest>,
    pub(crate) answers: Arc<Mutex<Answers>>,
}

/// An open session, as the test sees it. It ends when it is dropped.
pub(crate) struct Opened {
    pub(crate) request: SessionRequest,
    pub(crate) session: ToWorker<SessionMessage>,
    pub(crate) assignments: ToWorker<AssignmentsMessage>,
}

impl Dispatcher {
    /// The dispatcher and its service. Everything is accepted.
    pub(crate) fn new() -> (Self, DispatcherService) {
        let answers = Arc::new(Mutex::new(Answers {
            heartbeat: Box::new(|_| Ok(Duration::from_millis(500))),
            statuses: Box::new(|_| Ok(())),
            session: Box::new(|_| Ok(())),
        }));
        let (session, sessions) = Calls::new("Session");
        let (assignment, assignments) = Calls::new("Assignments");
        let (status, statuses) = Calls::new("UpdateTaskStatus");
        let (heartbeat, heartbeats) = Calls::new("Heartbeat");
        let service = DispatcherService {
            session,
            assignment,
            status,
            heartbeat,
            answers: Arc::clone(&answers),
        };
        (Self { sessions, assignments, statuses, heartbeats, answers }, service)
    }

    /// Accepts the next session with this id, and sends these changes as COMPLETE.
    pub(crate) async fn open(&mut self, id: &str, changes: Vec<AssignmentChange>) -> Opened {
        let (request, session) = self.sessions.next().await;
        assert_eq!(request.session_id, "", "a new session has no id");
        session.send(Ok(first(id))).unwrap();
        let (asked, assignments) = self.assignments.next().await;
        assert_eq!(asked.session_id, id);
        assignments.send(Ok(complete("1", changes))).unwrap();
        Opened { request, session, assignments }
    }

    /// Waits until the statuses of a task show this state. Returns all states of the task that came.
    pub(crate) async fn until(&mut self, task: &str, state: i32) -> Vec<i32> {
        let mut states = Vec::new();
        while states.last() != Some(&state) {
            let request = self.statuses.next().await;
            let updates = request.updates.iter().filter(|update| update.task_id == task);
            states.extend(updates.map(|update| update.status.as_ref().unwrap().state));
        }
        states
    }

    /// Waits until statuses of all these tasks have shown this state. One message may have several.
    pub(crate) async fn until_all(&mut self, tasks: &[&str], state: i32) {
        let mut missing = tasks.to_vec();
        while !missing.is_empty() {
            for update in self.statuses.next().await.updates {
                if update.status.unwrap().state == state {
                    missing.retain(|task| *task != update.task_id);
                }
            }
        }
    }
}

/// The first message of a session. It names no managers.
pub(crate) fn first(id: &str) -> SessionMessage {
    SessionMessage { session_id: id.to_owned(), ..SessionMessage::default() }
}

pub(crate) fn complete(results_in: &str, changes: Vec<AssignmentChange>) -> AssignmentsMessage {
    let r#type = Type::Complete.into();
    let (applies_to, results_in) = (String::new(), results_in.to_owned());
    AssignmentsMessage { r#type, applies_to, results_in, changes }
}

pub(crate) fn incremental(
    applies_to: &str,
    results_in: &str,
    changes: Vec<AssignmentChange>,
) -> AssignmentsMessage {
    let r#type = Type::Incremental.into();
    let (applies_to, results_in) = (applies_to.to_owned(), results_in.to_owned());
    AssignmentsMessage { r#type, applies_to, results_in, changes }
}

pub(crate) fn update(item: Item) -> AssignmentChange {
    let assignment = Some(Assignment { item: Some(item) });
    AssignmentChange { assignment, action: AssignmentAction::Update.into() }
}

pub(crate) fn remove(item: Item) -> AssignmentChange {
    AssignmentChange { action: AssignmentAction::Remove.into(), ..update(item) }
}

/// The service of a [`Dispatcher`].
pub(crate) struct DispatcherService {
    session: mpsc::UnboundedSender<StreamCall<SessionRequest, SessionMessage>>,
    assignment: mpsc::UnboundedSender<StreamCall<AssignmentsRequest, AssignmentsMessage>>,
    status: mpsc::UnboundedSender<UpdateTaskStatusRequest>,
    heartbeat: mpsc::UnboundedSender<HeartbeatRequest>,
    answers: Arc<Mutex<Answers>>,
}

/// Passes a call to the test, and returns the stream that the test sends.
pub(crate) fn stream_call<Q, A: Send + 'static>(
    calls: &mpsc::UnboundedSender<StreamCall<Q, A>>,
    request: Q,
) -> Response<Messages<A>> {
    let (sender, messages) = mpsc::unbounded_channel();
    let _ = calls.send((request, sender));
    let next = async |mut messages: mpsc::UnboundedReceiver<_>| {
        let message = messages.recv().await?;
        Some((message, messages))
    };
    Response::new(Box::pin(stream::unfold(messages, next)))
}

#[tonic::async_trait]
impl dispatcher_server::Dispatcher for DispatcherService {
    type SessionStream = Messages<SessionMessage>;
    type AssignmentsStream = Messages<AssignmentsMessage>;

    async fn session(
        &self,
        request: Request<SessionRequest>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let request = request.into_inner();
        (self.answers.lock().unwrap().session)(&request)?;
        Ok(stream_call(&self.session, request))
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        let request = request.into_inner();
        let answer = (self.answers.lock().unwrap().heartbeat)(&request);
        let _ = self.heartbeat.send(request);
        let period = Some(answer?.try_into().unwrap());
        Ok(Response::new(HeartbeatResponse { period }))
    }

    async fn update_task_status(
        &self,
        request: Request<UpdateTaskStatusRequest>,
    ) -> Result<Response<UpdateTaskStatusResponse>, Status> {
        let request = request.into_inner();
        let answer = (self.answers.lock().unwrap().statuses)(&request);
        let _ = self.status.send(request);
        answer.map(|()| Response::new(UpdateTaskStatusResponse {}))
    }

    async fn assignments(
        &self,
        request: Request<AssignmentsRequest>,
    ) -> Result<Response<Self::AssignmentsStream>, Status> {
        Ok(stream_call(&self.assignment, request.into_inner()))
    }
}
