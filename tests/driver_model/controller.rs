//! A controller with random behavior.

use super::choices::Choices;
use super::event::{Answer, Bad, Event, Op, PANIC, Tells, Told};
use super::world::World;
use onward::exec::{Assignment, Controller, ControllerError, ErrorKind, Executor, Inspection};
use onward::testing::{Turn, VirtualSleep};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub(crate) struct Wild(pub World);

/// The executor of this controller.
pub(crate) struct WildExecutor(pub World);

impl Executor for WildExecutor {
    type Definition = u64;
    type Controller = Wild;

    fn controller(
        &self,
        assignment: &Assignment<u64>,
    ) -> impl Future<Output = Result<Wild, ControllerError>> + Send {
        let (world, definition) = (self.0.clone(), assignment.definition);
        let flight = world.call(Op::Controller, definition);
        async move { answered(flight).await.map(|()| Wild(world)) }
    }
}

/// How long a call takes.
enum Takes {
    Polls(u32),
    Time(VirtualSleep),
    Forever,
}

/// A call in flight.
struct Flight {
    world: World,
    op: Op,
    takes: Takes,
    answer: Answer,
    told: Told,
    landed: bool,
}

impl World {
    /// The synchronous part of every call. It may panic too.
    fn call(&self, op: Op, version: u64) -> Flight {
        let world = self.clone();
        world.tell(&Event::Call(op, version));
        let mut inner = world.lock();
        if inner.flight.replace(op).is_some() {
            inner.broken.get_or_insert(format!("{op:?} called while another is in flight"));
        }
        let closed = inner.is_closed() && op != Op::Close;
        if closed {
            inner.broken.get_or_insert(format!("{op:?} called after close"));
        }
        let now = inner.time.now();
        let takes = match inner.choices.draw(12) {
            0..5 => Takes::Polls(0),
            polls @ 5..7 => Takes::Polls(polls - 4),
            11 => Takes::Forever,
            _ => {
                let ms = inner.choices.pick(&[1, 0, 2, 5, 10, 20, 50]);
                let moment = now + Duration::from_millis(ms);
                Takes::Time(inner.time.sleep_until(moment, Turn::Controller))
            }
        };
        let (answer, told) = (answer(op, &mut inner.choices), told(op, &mut inner.choices));
        let panics_at_once = answer == Answer::Panic && inner.choices.once_in(3);
        drop(inner);
        let mut flight = Flight { world, op, takes, answer, told, landed: false };
        if panics_at_once {
            flight.fall();
        }
        flight
    }
}

fn answer(op: Op, choices: &mut Choices) -> Answer {
    // Fatal errors are rare, so that lives are long.
    match choices.draw(16) {
        0..7 => Answer::Good,
        15 if choices.once_in(2) => Answer::Panic,
        number => {
            let kind = match choices.draw(12) {
                0..7 => ErrorKind::Failure,
                7 => ErrorKind::AlreadyPrepared,
                8 => ErrorKind::AlreadyStarted,
                9 => ErrorKind::UpdateRejected,
                10 => ErrorKind::Closed,
                _ => ErrorKind::Interrupted,
            };
            let temporary = number < 14 || (op == Op::Wait && choices.once_in(2));
            let exit_code = choices.pick(&[0, 0, 0, 3, 137, -1]);
            let container = choices.pick(&[None, None, None, Some(7), Some(8), Some(0)]);
            Answer::Bad(Bad { kind, temporary, exit_code, container, wrapped: choices.draw(4) })
        }
    }
}

fn told(op: Op, choices: &mut Choices) -> Told {
    let mut tells =
        |of: &[Tells]| if op == Op::Inspect { choices.pick(of) } else { Tells::Nothing };
    let container =
        tells(&[Tells::Nothing, Tells::Is(5), Tells::Is(6), Tells::Is(0), Tells::Failed]);
    let ports = tells(&[Tells::Nothing, Tells::Is(80), Tells::Is(0), Tells::Failed]);
    Told { container, ports }
}

impl Flight {
    fn land(&mut self) {
        self.landed = true;
        self.world.lock().flight = None;
    }

    fn fall(&mut self) -> ! {
        self.land();
        self.world.tell(&match self.op {
            Op::Inspect => Event::Panicked,
            op => Event::Return(op, Answer::Panic),
        });
        // Panics without the hook, which would print a million backtraces.
        if self.world.lock().choices.once_in(2) {
            resume_unwind(Box::new(PANIC))
        }
        resume_unwind(Box::new(PANIC.to_owned()))
    }
}

impl Future for Flight {
    type Output = (Answer, Told);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.world.interfere(24);
        let ready = match &mut self.takes {
            Takes::Polls(0) => true,
            Takes::Polls(left) => {
                *left -= 1;
                context.waker().wake_by_ref();
                false
            }
            Takes::Time(sleep) => Pin::new(sleep).poll(context).is_ready(),
            Takes::Forever => false,
        };
        if !ready {
            self.world.lock().yielded |= matches!(self.takes, Takes::Polls(_));
            return Poll::Pending;
        }
        if self.answer == Answer::Panic {
            self.fall();
        }
        self.land();
        let (answer, told) = (self.answer.clone(), self.told.clone());
        self.world.tell(&match self.op {
            Op::Inspect => Event::Inspected(told.clone()),
            op => Event::Return(op, answer.clone()),
        });
        Poll::Ready((answer, told))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.landed {
            self.land();
            self.world.tell(&Event::Dropped(self.op));
        }
    }
}

async fn answered(flight: Flight) -> Result<(), ControllerError> {
    match flight.await.0 {
        Answer::Good => Ok(()),
        Answer::Bad(bad) => Err(bad.error()),
        Answer::Panic => unreachable!("it has panicked"),
    }
}

macro_rules! operations {
    ($($name:ident $op:ident)*) => {$(
        fn $name(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send {
            answered(self.0.call(Op::$op, 0))
        }
    )*};
}

impl Controller for Wild {
    type Definition = u64;

    operations! {
        prepare Prepare start Start wait Wait shutdown Shutdown
        terminate Terminate remove Remove close Close
    }

    fn update(
        &mut self,
        version: &u64,
    ) -> impl Future<Output = Result<(), ControllerError>> + Send {
        answered(self.0.call(Op::Update, *version))
    }

    fn inspect(&mut self) -> impl Future<Output = Inspection> + Send {
        let flight = self.0.call(Op::Inspect, 0);
        async { flight.await.1.inspection() }
    }
}
