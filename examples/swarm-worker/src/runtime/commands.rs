//! `Commands`: the processes that services may run on this worker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use process_agent::definition::ProcessDefinition;

/// The list of allowed commands: which process the image of a service stands for.
///
/// It is read from a TOML file. Each table has the keys of a process task, and two of its own:
///
/// ```toml
/// [commands.web]                       # docker service create web
/// command = ["/usr/bin/web", "--port", "80"]
/// dir = "/srv/web"
/// allow_args = true                    # the service's arguments follow those of the command
/// allow_env = ["COLOR"]                # variables that the service may set
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commands(BTreeMap<String, Entry>);

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    definition: ProcessDefinition,
    allow_args: bool,
    allow_env: Vec<String>,
}

/// The error of a file of allowed commands.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct CommandsError {
    path: PathBuf,
    problem: String,
}

impl Commands {
    /// Reads the file. It blocks.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is malformed. The error says where, and what would be right.
    pub fn read(path: &Path) -> Result<Self, CommandsError> {
        let problem = "not read".to_owned();
        Err(CommandsError { path: path.to_owned(), problem })
    }
}
