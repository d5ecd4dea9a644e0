use std::path::Path;

use super::{Probe, ProcessDefinition};

/// Makes the relative paths of a definition absolute. So they mean the same during the whole life
/// of the task, whichever agent runs it.
///
/// Symbolic links and `..` are not resolved, but followed when the task starts. Commands are text,
/// so a command stays relative if its directory is not UTF-8.
pub(super) fn resolve(definition: &mut ProcessDefinition, base: &Path) {
    if let Some(dir) = &mut definition.dir {
        *dir = base.join(&*dir);
    }
    let base = definition.dir.as_deref().unwrap_or(base);
    resolve_command(&mut definition.command, base);
    if let Some(prepare) = &mut definition.prepare {
        resolve_command(prepare, base);
    }
    if let Some(ready) = &mut definition.ready
        && let Probe::Command(command) = &mut ready.probe
    {
        resolve_command(command, base);
    }
}

fn resolve_command(command: &mut [String], base: &Path) {
    if let Some(name) = command.first_mut().filter(|name| name.contains('/')) {
        // An absolute path is not changed. `./x` is the same file as `x`.
        let path = base.join(name.strip_prefix("./").unwrap_or(name));
        if let Ok(path) = path.into_os_string().into_string() {
            *name = path;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn resolved(text: &str) -> ProcessDefinition {
        let mut definition: ProcessDefinition = toml::from_str(text).unwrap();
        resolve(&mut definition, Path::new("/etc/tasks"));
        definition
    }

    fn check_command(dir: &str, command: &str, expected: &str) {
        let text = format!(
            "{dir}\ncommand = ['{command}', './a']\nprepare = ['{command}', './a']\n\
             ready = {{ command = ['{command}', './a'] }}"
        );
        let definition = resolved(&text);
        let expected = vec![expected.to_owned(), "./a".to_owned()];
        assert_eq!(definition.command, expected);
        assert_eq!(definition.prepare.as_ref(), Some(&expected));
        assert_eq!(definition.ready.unwrap().probe, Probe::Command(expected));
    }

    #[test]
    fn a_directory_is_relative_to_the_file() {
        for (dir, expected) in [
            ("srv", "/etc/tasks/srv"),
            ("../srv", "/etc/tasks/../srv"),
            (".", "/etc/tasks/."),
            ("/srv", "/srv"),
        ] {
            let definition = resolved(&format!("command = ['x']\ndir = '{dir}'"));
            assert_eq!(definition.dir.as_deref(), Some(Path::new(expected)));
        }
        assert_eq!(resolved("command = ['x']").dir, None);
    }

    #[test]
    fn a_command_with_a_slash_is_relative_to_the_directory_or_else_to_the_file() {
        check_command("", "./run", "/etc/tasks/run");
        check_command("", "bin/run", "/etc/tasks/bin/run");
        check_command("dir = 'srv'", "./run", "/etc/tasks/srv/run");
        check_command("dir = '/srv'", "../run", "/srv/../run");
        check_command("dir = 'srv'", "/bin/sh", "/bin/sh");
        check_command("dir = 'srv'", "sh", "sh");
    }

    #[test]
    fn resolving_twice_is_the_same_as_once() {
        let text = "command = ['./run']\ndir = 'srv'";
        let mut again = resolved(text);
        resolve(&mut again, Path::new("/elsewhere"));
        assert_eq!(again, resolved(text));
    }

    #[test]
    fn a_command_in_a_directory_that_is_not_utf8_stays_relative() {
        let base = Path::new(OsStr::from_bytes(b"/\xff"));
        let mut definition = ProcessDefinition::new(["./run"]);
        definition.dir = Some("srv".into());
        resolve(&mut definition, base);
        assert_eq!(definition.dir, Some(base.join("srv")));
        assert_eq!(definition.command, ["./run"]);
    }
}
