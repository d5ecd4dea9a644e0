use std::{
    ffi::{CString, OsString},
    fs::File,
    io::{self, BufRead as _, BufReader, PipeWriter, Write as _},
    os::{fd::AsRawFd as _, unix::ffi::OsStringExt as _},
    path::Path,
};

use nix::{
    spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn},
    sys::signal::SigSet,
};
use rustix::stdio::dup2_stdin;

use crate::{
    keeper::environment,
    process_state::{INHERITED_VARIABLE, Inherited},
};

/// The number of standard output.
const STDOUT: i32 = 1;

/// Starts the keeper, and passes on its first report.
pub(super) fn launch(dir: &Path, inherited: &Inherited) -> io::Result<()> {
    let (reader, report_pipe) = io::pipe()?;
    start_keeper(dir, inherited, &report_pipe)?;
    // The keeper's copy is the last one, so its end closes the pipe and the lock.
    drop(report_pipe);
    dup2_stdin(File::open("/dev/null")?)?;
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line)?;
    if line.is_empty() {
        return Err(io::Error::other("the keeper ended during its start"));
    }
    let _ = io::stdout().write_all(line.as_bytes()); // fails if the agent is gone
    Ok(())
}

/// Starts the keeper with the default disposition of every signal, no blocked signals, and without
/// the agent's own variables. It gets three descriptors: the locked directory of the task, which is
/// this process' standard input too; `report_pipe`; and `keeper.err`.
fn start_keeper(dir: &Path, inherited: &Inherited, report_pipe: &PipeWriter) -> io::Result<()> {
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_sigdefault(&SigSet::all())?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK,
    )?;
    let mut descriptors = PosixSpawnFileActions::init()?;
    descriptors.add_dup2(report_pipe.as_raw_fd(), STDOUT)?;
    close_fds::set_fds_cloexec(3, &[]);
    let dir = dir.as_os_str().to_owned().into_vec();
    let arguments = [
        c"process-agent".to_owned(),
        c"keeper".to_owned(),
        c"--keep".to_owned(),
        CString::new(dir)?,
    ];
    let variable = |(name, value): (OsString, OsString)| {
        CString::new([name.into_vec(), value.into_vec()].join(&b'='))
    };
    let inherited = (INHERITED_VARIABLE.into(), inherited.to_string().into());
    let environment = environment::of_task().chain([inherited]);
    let environment = environment.map(variable).collect::<Result<Vec<_>, _>>()?;
    // The file at the program's path may have been replaced by another version.
    posix_spawn(c"/proc/self/exe", &descriptors, &attributes, &arguments, &environment)?;
    Ok(())
}
