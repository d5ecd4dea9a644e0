//! The macro `lifecycle!`, which generates code from the table in `edge.rs`. It contains
//! no edge itself.

/// Generates code from the table of edges.
///
/// For each arrow `From => To(Actor …)`: `impl Edge<To> for From`, a row of
/// [`EDGES`](super::EDGES), and a compile-time assertion that `To` is above `From`. For
/// each state with an arrow: `impl Live`. For each pair of states: an assertion that
/// types and rows agree.
macro_rules! lifecycle {
    ($($from:ident => [$($to:ident($($actor:ident)+)),*];)*) => {
        $($(
            impl Edge<state::$to> for state::$from {}

            const _: () = assert!(
                TaskState::$from.number() < TaskState::$to.number(),
                concat!(
                    "an edge leads to a greater state, but ", stringify!($to), " is not above ", stringify!($from),
                ),
            );
        )*)*

        $(lifecycle!(@live $from [$($to)*]);)*

        /// Every edge that a task can take, in ascending order of `from`.
        ///
        /// The same table generates the [`Edge`] implementations. A move along any other
        /// edge does not compile.
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

    // For every pair of states: the type has the edge if and only if the table has it.
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
