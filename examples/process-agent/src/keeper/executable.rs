use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read as _},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::definition::ProcessDefinition;

/// How many bytes of a script the system reads to find its interpreter.
const BUFFER: u64 = 256;

/// Why an executable cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ExecutableError {
    /// No file of this name exists.
    #[error("the executable {name:?} is not found; looked in {}", looked.join(", "))]
    NotFound {
        /// The first word of the command.
        name: String,
        /// The paths that were tried.
        looked: Vec<String>,
    },
    /// The file is not executable.
    #[error("{} is not executable; `chmod +x {}` would make it so", path.display(), path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
    },
    /// The path is not a file, but for example a directory.
    #[error("{} is a {what}; give the path of an executable file", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
        /// The type of the file.
        what: &'static str,
    },
    /// The interpreter of a script does not exist.
    #[error(
        "the interpreter {interpreter:?} of {} is not found; {}",
        path.display(), interpreter_hint(interpreter)
    )]
    NoInterpreter {
        /// The script.
        path: PathBuf,
        /// The interpreter in its first line.
        interpreter: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
}

fn interpreter_hint(interpreter: &str) -> &'static str {
    if interpreter.ends_with('\r') {
        "the lines of the script end with CRLF: convert it to LF"
    } else {
        "install it, or change the first line of the script"
    }
}

/// Returns the file that starting `name` would execute. If `name` has a slash, it is a path
/// relative to `dir`. Otherwise it is the first executable file in the directories of `path`, which
/// has the form of `PATH`. If the file is a script, its interpreter must exist too.
///
/// # Errors
///
/// Fails if no file is found, or if the file cannot be executed.
pub fn find_executable(
    name: &str,
    path: Option<&OsStr>,
    dir: &Path,
) -> Result<PathBuf, ExecutableError> {
    if name.contains('/') {
        let file = dir.join(name);
        let found = check(&file)?.ok_or_else(|| ExecutableError::NotFound {
            name: name.to_owned(),
            looked: vec![file.display().to_string()],
        })?;
        return with_interpreter(found, dir);
    }
    let mut looked = Vec::new();
    let mut refused = None;
    // The system uses this default if there is no `PATH`.
    let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    for place in std::env::split_paths(path) {
        match check(&dir.join(&place).join(name)) {
            Ok(Some(found)) => return with_interpreter(found, dir),
            Ok(None) => looked.push(place.display().to_string()),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| ExecutableError::NotFound { name: name.to_owned(), looked }))
}

/// Returns the path if it can be executed. `None` if it does not exist.
fn check(path: &Path) -> Result<Option<PathBuf>, ExecutableError> {
    let path = path.to_owned();
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(ExecutableError::Unreadable { path, error }),
    };
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "directory" } else { "special file" };
        return Err(ExecutableError::NoFile { path, what });
    }
    // Root, too, can execute a file only if it is executable for at least one user.
    let allowed = metadata.permissions().mode() & 0o111 != 0
        && rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_ok();
    if allowed { Ok(Some(path)) } else { Err(ExecutableError::NotExecutable { path }) }
}

fn with_interpreter(path: PathBuf, dir: &Path) -> Result<PathBuf, ExecutableError> {
    // If a script is executable but not readable, the system decides.
    match interpreter(&path).ok().flatten() {
        Some(interpreter) if matches!(dir.join(&interpreter).try_exists(), Ok(false)) => {
            let interpreter = interpreter.to_string_lossy().into_owned();
            Err(ExecutableError::NoInterpreter { path, interpreter })
        }
        Some(_) | None => Ok(path),
    }
}

/// Returns the interpreter in the first line of a script. `None` if the file is not a script. Like
/// the system, it reads up to a space, a tab, the end of the line, or the end of the system's
/// buffer.
fn interpreter(path: &Path) -> io::Result<Option<OsString>> {
    let mut start = Vec::new();
    File::open(path)?.take(BUFFER).read_to_end(&mut start)?;
    let Some(line) = start.strip_prefix(b"#!") else { return Ok(None) };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t'));
    let name = words.find(|word| !word.is_empty());
    Ok(name.map(|name| OsStr::from_bytes(name).to_owned()))
}

/// Explains more exactly than the system why it has refused to execute `name`.
pub(super) fn explain(
    name: &str,
    definition: &ProcessDefinition,
    dir: &Path,
    error: &io::Error,
) -> String {
    let path = definition.env.get("PATH").map(OsString::from).or_else(|| env::var_os("PATH"));
    match find_executable(name, path.as_deref(), dir) {
        Err(why @ ExecutableError::NoInterpreter { .. }) => why.to_string(),
        Ok(found) if error.kind() == io::ErrorKind::NotFound => {
            let found = found.display();
            format!("cannot start {name:?}: {error}, but {found} exists: its loader does not")
        }
        Ok(_) | Err(_) => format!("cannot start {name:?}: {error}"),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    fn refused(name: &str, dir: &Path) -> String {
        let path = dir.as_os_str();
        find_executable(name, Some(path), dir).unwrap_err().to_string()
    }

    #[test]
    fn a_bare_name_is_looked_up_on_the_path() {
        let found = find_executable("sh", None, Path::new("/")).unwrap();
        assert!(found.ends_with("sh"));
    }

    #[test]
    fn the_error_of_a_missing_executable_has_the_paths_that_were_tried() {
        let error = find_executable("x", Some(OsStr::new("/a:/b")), Path::new("/")).unwrap_err();
        let expected = "the executable \"x\" is not found; looked in /a, /b";
        assert_eq!(error.to_string(), expected);
        let error = find_executable("./x", None, Path::new("/a")).unwrap_err();
        let expected = "the executable \"./x\" is not found; looked in /a/./x";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn the_error_of_a_file_that_is_not_executable_has_the_command_that_helps() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x");
        fs::write(&file, "").unwrap();
        let at = file.display();
        assert_eq!(
            refused("x", dir.path()),
            format!("{at} is not executable; `chmod +x {at}` would make it so")
        );
    }

    #[test]
    fn a_directory_is_not_an_executable() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("x")).unwrap();
        let at = dir.path().join("x");
        assert_eq!(
            refused("x", dir.path()),
            format!("{} is a directory; give the path of an executable file", at.display())
        );
    }

    fn script(dir: &Path, text: &str) {
        let file = dir.join("x");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_error_of_a_missing_interpreter_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("x");
        let at = at.display();
        for line in ["#!/no/such\n", "#! \t/no/such -x\n", "#!/no/such"] {
            script(dir.path(), line);
            assert_eq!(
                refused("x", dir.path()),
                format!(
                    "the interpreter \"/no/such\" of {at} is not found; install it, or change the \
                     first line of the script"
                )
            );
        }
        script(dir.path(), "#!/bin/sh\r\necho\r\n");
        assert_eq!(
            refused("x", dir.path()),
            format!(
                "the interpreter \"/bin/sh\\r\" of {at} is not found; the lines of the script end \
                 with CRLF: convert it to LF"
            )
        );
    }

    #[test]
    fn a_script_is_accepted_if_its_interpreter_exists_or_is_not_given() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("x");
        for text in ["#!/bin/sh\n", "#! /bin/sh -e\n", "#!./x\n", "#!\n", "#!", "", "echo\n"] {
            script(dir.path(), text);
            let path = dir.path().as_os_str();
            assert_eq!(find_executable("x", Some(path), dir.path()).unwrap(), at, "{text:?}");
        }
    }
}
