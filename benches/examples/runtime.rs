//! A process on tokio without onward, as the baseline of an agent.

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
