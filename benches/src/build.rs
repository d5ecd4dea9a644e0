//! Build times, and sizes of programs.

use crate::report::{Report, Table};
use crate::rounds::{self, Measured};
use crate::scale::Scale;
use crate::text::thousands;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A small package that uses a library, as a user would write it.
struct Package {
    name: &'static str,
    dependencies: &'static str,
    /// The source files: path and content.
    files: &'static [(&'static str, &'static str)],
}

/// Makes a library with a state machine and its record.
macro_rules! machine {
    ($name:literal, $dependencies:literal, $module:literal, $file:literal) => {
        Package {
            name: $name,
            dependencies: $dependencies,
            files: &[
                ("lib.rs", concat!("pub mod plain;\npub mod record;\npub mod ", $module, ";\n")),
                ("record.rs", include_str!("../machines/bare.rs")),
                ("plain.rs", include_str!("../machines/plain.rs")),
                ($file, include_str!(concat!("../machines/", $file))),
            ],
        }
    };
}

const CHECKED: &[Package] = &[
    Package {
        name: "a `match` by hand",
        dependencies: "",
        files: &[
            ("lib.rs", "pub mod plain;\npub mod record;\n"),
            ("record.rs", include_str!("../machines/bare.rs")),
            ("plain.rs", include_str!("../machines/plain.rs")),
        ],
    },
    Package {
        name: "onward, no features",
        dependencies: "onward = { path = ONWARD, default-features = false }",
        files: &[("lib.rs", "pub use onward::Task;\n")],
    },
    Package {
        name: "onward, default features",
        dependencies: "onward = { path = ONWARD }",
        files: &[("lib.rs", "pub use onward::Task;\n")],
    },
    machine!("rust-fsm, 14 states", "rust-fsm = \"0.8\"", "rust_fsm", "rust_fsm.rs"),
    machine!("smlang, 14 states", "smlang = \"0.8\"", "smlang", "smlang.rs"),
    machine!("statig, 14 states", "statig = \"0.4\"", "statig", "statig.rs"),
    machine!("statum, 14 states", "statum = \"0.9\"", "statum", "statum.rs"),
];

const TOKIO: &str = "tokio = { version = \"1\", features = [\"process\", \"rt\", \"time\"] }\n";

const BUILT: &[Package] = &[
    Package {
        name: "`println!`: the standard library alone",
        dependencies: "",
        files: &[("main.rs", include_str!("../examples/hello.rs"))],
    },
    Package {
        name: "a process on tokio, without onward",
        dependencies: "",
        files: &[("main.rs", include_str!("../examples/runtime.rs"))],
    },
    Package {
        name: "the same as a task, by `step`",
        dependencies: "onward = { path = ONWARD }",
        files: &[("main.rs", include_str!("../examples/steps.rs"))],
    },
    Package {
        name: "an agent, its tasks in memory",
        dependencies: "onward = { path = ONWARD, features = [\"tokio\"] }",
        files: &[("main.rs", include_str!("../examples/agent/main.rs")), ("store.rs", IN_MEMORY)],
    },
    Package {
        name: "an agent, its tasks in a file",
        dependencies: "onward = { path = ONWARD, features = [\"redb\", \"tokio\"] }",
        files: &[
            ("main.rs", include_str!("../examples/agent/main.rs")),
            ("store.rs", include_str!("../examples/agent/store.rs")),
        ],
    },
];

/// The `store.rs` of an agent with a store in memory.
const IN_MEMORY: &str = "use onward::agent::MemoryStore;
use std::convert::Infallible;
pub(crate) async fn open() -> Result<MemoryStore<String>, Infallible> {
    Ok(MemoryStore::new())
}
";

/// A profile for small programs.
const SMALL: &str = "opt-level = \"s\"\nlto = true\ncodegen-units = 1\npanic = \"abort\"\n";

impl Package {
    /// Writes the package into a directory, with the dependency versions of this workspace.
    fn write(&self, to: &Path, profile: &str) -> Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let path = format!("'{}'", root.display());
        let dependencies = self.dependencies.replace("ONWARD", &path);
        let tokio =
            if self.files.iter().any(|file| file.1.contains("tokio::")) { TOKIO } else { "" };
        let manifest = format!(
            "[package]\nname = \"measured\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
             [workspace]\n[dependencies]\n{tokio}{dependencies}\n\
             [profile.release]\nstrip = true\n{profile}"
        );
        fs::create_dir_all(to.join("src"))?;
        fs::write(to.join("Cargo.toml"), manifest)?;
        fs::copy(root.join("Cargo.lock"), to.join("Cargo.lock"))?;
        for (path, text) in self.files {
            fs::write(to.join("src").join(path), text)?;
        }
        Ok(())
    }

    /// Runs `cargo check` for the package and its dependencies in an empty directory. Returns the
    /// time, and the crates that took longest.
    fn check(&self) -> Result<(Duration, String)> {
        let place = tempfile::tempdir()?;
        self.write(place.path(), "")?;
        let start = Instant::now();
        cargo(&place, &["check", "--timings"])?;
        let took = start.elapsed();
        Ok((took, parts(&place)?))
    }

    /// Returns the size of the stripped program in bytes.
    fn size(&self, profile: &str) -> Result<u64> {
        let place = tempfile::tempdir()?;
        self.write(place.path(), profile)?;
        cargo(&place, &["build", "--release"])?;
        Ok(fs::metadata(place.path().join("target/release/measured"))?.len())
    }
}

fn cargo(place: &TempDir, arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(place.path())
        .env_remove("CARGO_TARGET_DIR")
        .args(arguments)
        .args(["--offline", "-j2", "--quiet"])
        .output()?;
    ensure!(output.status.success(), "cargo: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Returns the crates that took longest, from cargo's report.
fn parts(place: &TempDir) -> Result<String> {
    let page = fs::read_to_string(place.path().join("target/cargo-timings/cargo-timing.html"))?;
    let (_, rest) = page.split_once("const UNIT_DATA = ").context("no timings")?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Vec<Value>>();
    let units = values.next().context("no timings")??;
    let unit = |unit: &Value| {
        let name = unit.get("name")?.as_str()?.replace("measured", "itself");
        Some((unit.get("duration")?.as_f64()?, name))
    };
    let mut units: Vec<_> = units.iter().filter_map(unit).collect();
    units.sort_by(|one, other| other.0.total_cmp(&one.0));
    let texts = units.iter().filter(|unit| unit.0 >= 0.05).take(4);
    Ok(texts.map(|(took, name)| format!("{name} {took:.1}")).collect::<Vec<_>>().join(", "))
}

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    Ok(Report::of(checks(scale)?).and(sizes(scale)?))
}

fn checks(scale: &Scale) -> Result<Table> {
    let mut table = Table::new(
        "check",
        "A cold `cargo check`, two jobs",
        &["", "seconds", "its longest parts, in seconds of one job"],
    );
    let longest = RefCell::new(vec![String::new(); CHECKED.len()]);
    let failed = RefCell::new(Ok(()));
    let check = |number: usize, package: &'static Package| -> Measured<'_> {
        let (longest, failed) = (&longest, &failed);
        Box::new(move || match package.check() {
            Ok((took, parts)) => {
                if let Some(place) = longest.borrow_mut().get_mut(number) {
                    *place = parts;
                }
                took
            }
            Err(error) => {
                *failed.borrow_mut() = Err(error);
                Duration::ZERO
            }
        })
    };
    let each = CHECKED.iter().enumerate().map(|(number, package)| check(number, package));
    let rounds = rounds::measure(scale.few.min(3), each.collect());
    failed.into_inner()?;
    for ((number, package), parts) in CHECKED.iter().enumerate().zip(longest.into_inner()) {
        table.row([package.name.into(), format!("{:.1}", rounds.seconds(number)), parts]);
    }
    Ok(table)
}

fn sizes(scale: &Scale) -> Result<Table> {
    let mut table = Table::new(
        "size",
        "A stripped program, in KiB",
        &["", "release", "made small", "more than the one above"],
    );
    let mut above = 0;
    let programs = if scale.few == 1 { BUILT.get(..1).unwrap_or_default() } else { BUILT };
    for package in programs {
        let (large, small) = (package.size("")?, package.size(SMALL)?);
        let kib = |bytes: u64| thousands(bytes.div_ceil(1024));
        let more = if above == 0 { String::new() } else { kib(small.saturating_sub(above)) };
        table.row([package.name.into(), kib(large), kib(small), more]);
        above = small;
    }
    table.note(format!("Made small: `{}`.", SMALL.trim().replace('\n', "`, `")));
    Ok(table)
}
