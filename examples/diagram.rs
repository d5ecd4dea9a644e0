//! Draws the table of edges, and prints the page on which it can be tried.
//!
//! ```sh
//! cargo run --example diagram -- mermaid
//! cargo run --example diagram -- markdown
//! cargo run --example diagram -- dot | dot -Tsvg > lifecycle.svg
//! cargo run --example diagram -- html > docs/playground.html
//! ```

#[path = "conformance.rs"]
#[expect(dead_code, reason = "of the program, only the mode `scenarios` is called here")]
mod conformance;
#[path = "diagram/moves.rs"]
mod moves;
#[path = "diagram/playground.rs"]
pub(crate) mod playground;
#[path = "diagram/typed.rs"]
pub(crate) mod typed;

use onward::diagram::{Diagram, DiagramFormat};
use std::process::ExitCode;

fn main() -> ExitCode {
    let format = std::env::args().nth(1);
    let format = match format.as_deref() {
        Some("mermaid") => DiagramFormat::Mermaid,
        Some("dot") => DiagramFormat::Dot,
        Some("markdown") => DiagramFormat::Markdown,
        Some("html") => return html(),
        other => {
            let given = other.map_or("no format".to_owned(), |name| format!("`{name}`"));
            eprintln!("{given} was given: expected `mermaid`, `dot`, `markdown` or `html`");
            return ExitCode::from(2);
        }
    };
    print!("{}", Diagram::new(format));
    ExitCode::SUCCESS
}

fn html() -> ExitCode {
    match playground::page() {
        Ok(page) => {
            print!("{page}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot print the page: {error}");
            ExitCode::FAILURE
        }
    }
}
