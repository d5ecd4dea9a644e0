//! The demo: a task for each way to end, and the image of its containers.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use bollard::query_parameters::CreateImageOptions;
use futures::TryStreamExt as _;

use crate::engine::Engine;

/// The task file of the demo.
pub const TASKS: &str = include_str!("../demo.toml");

/// The image of the demo's containers.
pub const IMAGE: &str = "onward-demo:1";

/// The programs in the image.
const PROGRAMS: [&str; 2] = ["sh", "sleep"];

const HOW_TO_START: &str = "\
    Start an engine, for example with `systemctl start docker` after `apt install docker.io`, \
    or set DOCKER_HOST to the address of one. Your user needs the right to use it: be root, or a \
    member of the group `docker`";

/// Makes the image from programs of this machine, so that the demo needs no registry.
///
/// # Errors
///
/// Fails if there is no engine, and says how to start one. Fails if a program or a library of it
/// cannot be found.
pub fn prepare(engine: &Engine) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = match engine.client().await {
            Ok(client) => client,
            Err(error) => bail!("{:#}. {HOW_TO_START}", anyhow::Error::new(error)),
        };
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            // With the tag, because Podman 4 ignores the parameter for it.
            repo: Some(IMAGE.to_owned()),
            ..CreateImageOptions::default()
        };
        let image = bollard::body_full(archive()?.into());
        let progress = client.create_image(Some(options), Some(image), None);
        progress.try_collect::<Vec<_>>().await.context("the engine refuses the demo's image")?;
        Ok(())
    })
}

/// Returns a tar archive with the programs and their libraries.
fn archive() -> anyhow::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut added = std::collections::BTreeSet::new();
    for name in PROGRAMS {
        let program = find(name)?;
        let in_image = PathBuf::from("bin").join(name);
        add(&mut archive, &program, &in_image)?;
        for library in libraries(&program)? {
            if added.insert(library.clone()) {
                add(&mut archive, &library, library.strip_prefix("/")?)?;
            }
        }
    }
    Ok(archive.into_inner()?)
}

fn add(archive: &mut tar::Builder<Vec<u8>>, file: &Path, name: &Path) -> anyhow::Result<()> {
    // The file itself, also if `file` is a link.
    archive.append_path_with_name(file, name).with_context(|| file.display().to_string())
}

fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    found.with_context(|| format!("there is no `{name}` on PATH to make the demo's image from"))
}

/// Returns the libraries of a program, and its loader. None for a static program.
fn libraries(program: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut ldd = Command::new("ldd");
    let output = ldd.arg(program).stdin(Stdio::null()).output().context(
        "cannot run `ldd`, which lists the libraries of the programs in the demo's image",
    )?;
    let text = String::from_utf8(output.stdout)?;
    // A line is `libc.so.6 => /lib/libc.so.6 (0x…)` or `/lib/ld-linux.so.2 (0x…)`.
    let words =
        text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let paths: Vec<PathBuf> = words.map(PathBuf::from).collect();
    if let Some(missing) = paths.iter().find(|path| !path.is_file()) {
        bail!("{} needs {}, which is not there", program.display(), missing.display());
    }
    Ok(paths)
}
