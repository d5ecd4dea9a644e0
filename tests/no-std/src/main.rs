//! A task's whole life without `std`: exits with 0 if it ended as it should.
#![no_std]
#![no_main]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;
use core::future::Future;
use core::panic::PanicInfo;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use onward::{
    AnyTask, Assignment, Controller, ControllerError, Executor, Outcome, TaskState, TaskStatus,
    resolve, step,
};
use time::UtcDateTime;

#[link(name = "c")]
unsafe extern "C" {
    fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
    fn free(pointer: *mut c_void);
    fn abort() -> !;
}

struct LibC;

unsafe impl GlobalAlloc for LibC {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = layout.size().next_multiple_of(layout.align());
        unsafe { aligned_alloc(layout.align(), size).cast() }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, _: Layout) {
        unsafe { free(pointer.cast()) }
    }
}

#[global_allocator]
static ALLOCATOR: LibC = LibC;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    unsafe { abort() }
}

/// The `alloc` that comes with the compiler was built to unwind, and names these two; with
/// `panic = "abort"` nobody calls them.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    unsafe { abort() }
}

/// Exits with 3.
struct Exits;

impl Controller for Exits {
    type Definition = i32;

    async fn start(&mut self) -> Result<(), ControllerError> {
        Err(ControllerError::new("again").with_source(ControllerError::already_started()))
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        Err(ControllerError::new("exit").with_exit_code(3))
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
}

impl Executor for Exits {
    type Definition = i32;
    type Controller = onward::BoxController<i32>;

    async fn controller(&self, _: &Assignment<i32>) -> Result<Self::Controller, ControllerError> {
        Ok(Exits.boxed())
    }
}

async fn life() -> bool {
    let clock = || UtcDateTime::UNIX_EPOCH;
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
    let assignment = Assignment::new("t1", 0);
    let Ok(mut controller) = resolve(&mut task, &assignment, &Exits, &clock).await else {
        return false;
    };
    let desired = assignment.desired_state;
    while step(&mut task, desired, &mut controller, &clock).await == Outcome::Advanced {}
    let exit_code = task.container_status().and_then(|status| status.exit_code);
    (task.state(), task.err(), exit_code) == (TaskState::Failed, Some("exit"), Some(3))
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    match pin!(life()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(true) => 0,
        Poll::Ready(false) | Poll::Pending => 1,
    }
}
