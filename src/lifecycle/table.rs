//! The macro that makes of one table what the compiler checks and what a
//! program can look up. It repeats; it does not decide: every edge stands in
//! the table, in `edge.rs`.

/// Expands each arrow `From => To(Actor …)` into `impl Edge<To> for From`, a
/// row of [`EDGES`](super::EDGES), and an assertion that the arrow goes up;
/// makes `Live` each state that has one; and asserts for every pair of states
/// that types and rows agree.
macro_rules! lifecycle {
    ($($from:ident => [$($to:ident($($actor:ident)+)),*];)*) => {
        $($(
            impl Edge<state::$to> for state::$from {}

            const _: () = assert!(
                TaskState::$from.number() < TaskState::$to.number(),
                concat!(
                    "an edge goes up, but ", stringify!($to), " is not above ", stringify!($from),
                ),
            );
        )*)*

        $(lifecycle!(@live $from [$($to)*]);)*

        /// Every edge that a task can take, in ascending order of `from`.
        ///
        /// The same table gives the [`Edge`] impls: what is not here does not
        /// compile.
        pub const EDGES: &[Transition] = &[$($(
            Transition {
                from: TaskState::$from,
                to: TaskState::$to,
                by: &[$(Actor::$actor),+],
            },
        )*)*];

        lifecycle!(@agree [$($from)*] [$($from)*]);
    };

    // A state is live if an edge leaves it.
    (@live $from:ident []) => {};
    (@live $from:ident [$($to:ident)+]) => {
        impl Live for state::$from {}
    };

    // All pairs of states: the type has the edge exactly where the table does.
    (@agree [$($from:ident)*] $all:tt) => {
        $(lifecycle!(@agree_from $from $all);)*
    };
    (@agree_from $from:ident [$($to:ident)*]) => {
        $(const _: () = assert!(
            Probe::<state::$from, state::$to>::HAS_EDGE
                == TaskState::$from.can_become(TaskState::$to),
            concat!(
                "types and table disagree on ", stringify!($from), " => ", stringify!($to),
            ),
        );)*
    };
}

pub(super) use lifecycle;
