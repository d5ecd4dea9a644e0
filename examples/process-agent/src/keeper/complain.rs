use std::io::Write as _;

/// Leaves a line in `keeper.err`. Not by `eprintln`, which panics on a full disk.
pub(super) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "keeper: {text}");
}
