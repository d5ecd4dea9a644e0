//! Measures the cost of supervising a process, compared with a bare process and with supervisord:
//!
//! ```sh
//! cargo bench -p process-agent                      # everything, with up to 2,000 tasks
//! cargo bench -p process-agent -- --quick           # with up to 100, to see whether it works
//! cargo bench -p process-agent -- stop crowd        # some of: stop, crowd, keepers, supervisord
//! ```
//!
//! Processor time is the kernel's count for all processes together. Times by the clock depend on
//! the load of the machine.

mod cpu;
mod crowd;
mod fleet;
mod keepers;
mod stop;
mod supervisord;

use anyhow::{Context as _, Result};
use comfy_table::{Table, presets};
use rustix::process::{Resource, Rlimit, getpid, getrlimit, set_child_subreaper, setrlimit};

/// The extent of the measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// The numbers of running tasks at which a stop is measured.
    pub(crate) beside: &'static [usize],
    /// The number of tasks that start at once.
    pub(crate) crowd: usize,
    /// The number of tasks whose memory is measured.
    pub(crate) fleet: usize,
    /// The number of stops in each mean.
    pub(crate) stops: usize,
}

const FULL: Scale = Scale { beside: &[10, 100, 1_000, 2_000], crowd: 2_000, fleet: 200, stops: 20 };
const QUICK: Scale = Scale { beside: &[10, 100], crowd: 100, fleet: 20, stops: 5 };

fn main() -> Result<()> {
    // Cargo adds the flag `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let scale = if arguments.iter().any(|a| a == "--quick") { QUICK } else { FULL };
    let wanted = |name: &str| {
        let mut names = arguments.iter().filter(|a| !a.starts_with("--")).peekable();
        names.peek().is_none() || names.any(|a| a == name)
    };
    // Keepers become children of this process, so that their processor time counts.
    set_child_subreaper(Some(getpid()))?;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .context("the limit of descriptors")?;
    if wanted("stop") {
        print("Stopping one task", &stop::measure(scale)?);
    }
    if wanted("crowd") {
        print("Many tasks at once", &crowd::measure(scale)?);
    }
    if wanted("keepers") {
        print("Memory", &keepers::measure(scale)?);
    }
    if wanted("supervisord") {
        print("Beside supervisord", &supervisord::measure(scale)?);
    }
    Ok(())
}

fn print(title: &str, table: &Table) {
    let mut out = std::io::stdout();
    // A closed output does not end the measurement.
    let _ = std::io::Write::write_fmt(&mut out, format_args!("\n## {title}\n\n{table}\n"));
}

/// Makes an empty Markdown table.
pub(crate) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(head.iter().copied());
    table
}

/// Formats milliseconds with one decimal.
pub(crate) fn ms(time: std::time::Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
