//! Draws the table of edges.
//!
//! ```sh
//! cargo run --example diagram -- mermaid
//! cargo run --example diagram -- markdown
//! cargo run --example diagram -- dot | dot -Tsvg > lifecycle.svg
//! ```

use onward::diagram::{Diagram, DiagramFormat};
use std::process::ExitCode;

fn main() -> ExitCode {
    let format = std::env::args().nth(1);
    let format = match format.as_deref() {
        Some("mermaid") => DiagramFormat::Mermaid,
        Some("dot") => DiagramFormat::Dot,
        Some("markdown") => DiagramFormat::Markdown,
        other => {
            let given = other.map_or("no format".to_owned(), |name| format!("`{name}`"));
            eprintln!("{given} was given: it is `mermaid`, `dot` or `markdown`");
            return ExitCode::from(2);
        }
    };
    print!("{}", Diagram::new(format));
    ExitCode::SUCCESS
}
