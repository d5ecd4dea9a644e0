use std::io::Write as _;

/// Writes a line to `keeper.err`. Not with `eprintln`, which panics on a full disk.
pub(super) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "keeper: {text}");
}
