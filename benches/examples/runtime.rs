//! A process on tokio, without onward: what is left of an agent without it.

use std::time::Duration;
use tokio::process::Command;
use tokio::runtime::Builder;
use tokio::time::timeout;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut child = Command::new("true").spawn()?;
        let status = timeout(Duration::from_secs(10), child.wait()).await??;
        println!("{status}");
        Ok(())
    })
}
