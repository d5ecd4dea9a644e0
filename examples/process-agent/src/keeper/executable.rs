use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// Why an executable could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ExecutableError {
    /// There is none of this name.
    #[error("the executable {name:?} is not found; looked in {}", looked.join(", "))]
    NotFound {
        /// The command's first word.
        name: String,
        /// The places.
        looked: Vec<String>,
    },
    /// It may not be executed.
    #[error("{} is not executable; `chmod +x {}` would make it so", path.display(), path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
    },
    /// It is a directory or something else that is no file.
    #[error("{} is a {what}; give the path of an executable file", path.display())]
    NoFile {
        /// What was found.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It could not be looked at.
    #[error("{} cannot be looked at: {error}", path.display())]
    Unreadable {
        /// What was looked at.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The file that starting `name` would execute: the first executable one in `path` (in the
/// form of `PATH`), or, if `name` has a slash, that file seen from `dir`.
///
/// # Errors
///
/// What is wrong with the file found, or where none was found.
pub fn find_executable(
    name: &str,
    path: Option<&OsStr>,
    dir: &Path,
) -> Result<PathBuf, ExecutableError> {
    if name.contains('/') {
        let file = dir.join(name);
        return check(&file)?.ok_or_else(|| ExecutableError::NotFound {
            name: name.to_owned(),
            looked: vec![file.display().to_string()],
        });
    }
    let mut looked = Vec::new();
    let mut refused = None;
    // What the system takes when there is no `PATH`.
    let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    for place in std::env::split_paths(path) {
        match check(&dir.join(&place).join(name)) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => looked.push(place.display().to_string()),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| ExecutableError::NotFound { name: name.to_owned(), looked }))
}

/// The path itself if it can be executed, `None` if there is nothing.
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
    // For root too: it may execute only what somebody may.
    let allowed = metadata.permissions().mode() & 0o111 != 0
        && rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_ok();
    if allowed { Ok(Some(path)) } else { Err(ExecutableError::NotExecutable { path }) }
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
    fn a_missing_executable_is_told_with_where_it_was_looked_for() {
        let error = find_executable("x", Some(OsStr::new("/a:/b")), Path::new("/")).unwrap_err();
        let expected = "the executable \"x\" is not found; looked in /a, /b";
        assert_eq!(error.to_string(), expected);
        let error = find_executable("./x", None, Path::new("/a")).unwrap_err();
        let expected = "the executable \"./x\" is not found; looked in /a/./x";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_file_that_is_not_executable_is_told_with_what_helps() {
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
    fn a_directory_is_no_executable() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("x")).unwrap();
        let at = dir.path().join("x");
        assert_eq!(
            refused("x", dir.path()),
            format!("{} is a directory; give the path of an executable file", at.display())
        );
    }
}
