//! Files of environment variables: one `NAME=value` a line.

use std::path::{Path, PathBuf};

use onward::exec::ControllerError;

/// Reads the variables of a file. Empty lines and lines that begin with `#` are left out.
///
/// # Errors
///
/// The file cannot be read, or a line is no variable. The error is final.
pub(crate) async fn read(path: PathBuf) -> Result<Vec<String>, ControllerError> {
    let shown = path.display().to_string();
    let text = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
    let text = text.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    let text = text.map_err(|error| {
        ControllerError::new(format!("the env_file {shown} cannot be read")).with_source(error)
    })?;
    parse(&text, Path::new(&shown))
}

fn parse(text: &str, path: &Path) -> Result<Vec<String>, ControllerError> {
    let lines = text.lines().enumerate().filter(|(_, line)| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    let variables = lines.map(|(index, line)| match line.split_once('=') {
        Some((name, _)) if !name.trim().is_empty() && !line.contains('\0') => {
            Ok(line.trim_start().to_owned())
        }
        Some(_) | None => Err(ControllerError::new(format!(
            "line {} of the env_file {} is no variable; write it like NAME=value",
            index + 1,
            path.display()
        ))),
    });
    variables.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_variable_is_refused_with_its_number() {
        let path = Path::new("env");
        assert_eq!(parse("# x\n\nA=1\nB= 2=3 \r\n", path).unwrap(), ["A=1", "B= 2=3 "]);
        for wrong in ["A=1\nB", "A=1\n=2"] {
            let refused = parse(wrong, path).unwrap_err();
            assert!(refused.to_string().contains("line 2 of the env_file env"), "{refused}");
        }
    }
}
