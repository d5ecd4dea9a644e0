//! Converts errors of keepers and ends of processes to errors of the controller.

use onward::exec::ControllerError;

use crate::keeper::{Ended, KeeperError, NotStarted};

/// Converts an error of a keeper. It is a temporary error if the keeper [may succeed
/// later](KeeperError::is_temporary).
pub(super) fn wrap(error: KeeperError) -> ControllerError {
    let is_temporary = error.is_temporary();
    let wrapped = ControllerError::wrap(error);
    if is_temporary { wrapped.temporary() } else { wrapped }
}

/// Converts a refused start. If the reason is temporary, the next `start` tries again.
pub(super) fn not_started(refused: NotStarted) -> ControllerError {
    let is_temporary = refused.is_temporary();
    let wrapped = ControllerError::wrap(refused);
    if is_temporary { wrapped.temporary() } else { wrapped }
}

pub(super) fn how_it_ended(ended: &Ended) -> String {
    match ended.signal {
        Some(signal) => {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("unnamed");
            format!("was ended by signal {signal} ({name})")
        }
        None => format!("exited with code {}", ended.code),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustix::io::Errno;

    use super::*;

    fn check(errno: Errno, temporary: bool) {
        let errno = errno.raw_os_error();
        let file =
            KeeperError::File { path: "x".into(), error: io::Error::from_raw_os_error(errno) };
        assert_eq!(wrap(file).is_temporary(), temporary);
        let reason = "because".to_owned();
        let launch = KeeperError::Launch { dir: "x".into(), reason, errno: Some(errno) };
        assert_eq!(wrap(launch).is_temporary(), temporary);
        let refused = NotStarted { spawn_error: "because".to_owned(), errno: Some(errno) };
        assert_eq!(not_started(refused).is_temporary(), temporary);
    }

    #[test]
    fn only_a_lack_of_resources_is_a_temporary_error() {
        let scarce = [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM, Errno::NOBUFS];
        for errno in scarce.into_iter().chain([Errno::NOSPC, Errno::DQUOT, Errno::TXTBSY]) {
            check(errno, true);
        }
        for errno in [Errno::NOENT, Errno::ACCESS, Errno::NOEXEC, Errno::ROFS, Errno::IO] {
            check(errno, false);
        }
        let refused = NotStarted { spawn_error: "because".to_owned(), errno: None };
        assert!(!not_started(refused).is_temporary());
    }

    #[test]
    fn a_silent_keeper_is_a_temporary_error_and_a_lost_one_is_not() {
        assert!(wrap(KeeperError::Silent { dir: "x".into() }).is_temporary());
        assert!(!wrap(KeeperError::Lost { dir: "x".into() }).is_temporary());
        assert!(!wrap(KeeperError::Gone { dir: "x".into() }).is_temporary());
    }
}
