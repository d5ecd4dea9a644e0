//! The store of the agent: the file that is named on the command line.

use onward::agent::RedbStore;
use onward::agent::store::OpenStoreError;

pub(crate) async fn open() -> Result<RedbStore<String>, OpenStoreError> {
    let path = std::env::args_os().nth(1).unwrap_or_else(|| "tasks".into());
    RedbStore::open(path, |work| drop(tokio::task::spawn_blocking(work))).await
}
