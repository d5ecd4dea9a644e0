//! Typestate on one page: a door that is open, closed or locked.
//!
//! ```sh
//! cargo run --example 00_door
//! ```
//!
//! Each state is a type. A method exists only for the states in which it is allowed. It
//! takes `self`, so the door in its old state is gone. `docs/typestate.md` explains how
//! and why, step by step. It adds edges, a closed module and a form for any state.

struct Open;
struct Closed;
struct Locked {
    code: u32,
}

struct Door<S> {
    name: &'static str,
    state: S,
}

impl Door<Open> {
    fn close(self) -> Door<Closed> {
        Door { name: self.name, state: Closed }
    }
}

impl Door<Closed> {
    fn lock(self, code: u32) -> Door<Locked> {
        Door { name: self.name, state: Locked { code } }
    }
}

impl Door<Locked> {
    /// With the wrong code, the door stays locked and the error gives it back.
    fn unlock(self, code: u32) -> Result<Door<Closed>, Door<Locked>> {
        if code != self.state.code {
            return Err(self);
        }
        Ok(Door { name: self.name, state: Closed })
    }
}

// `fn main` would do. A test of this library calls it too, so it is `pub(crate)`.
pub(crate) fn main() {
    let open = Door { name: "front door", state: Open };
    // An open door cannot be locked. Remove the slashes, and the compiler reports:
    // error[E0599]: no method named `lock` found for struct `Door<Open>` in the current scope
    //open.lock(1234);
    let locked = open.close().lock(1234);
    let Err(locked) = locked.unlock(9999) else { unreachable!("the code is 1234") };
    assert_eq!(locked.name, "front door");
    assert!(locked.unlock(1234).is_ok());
}
