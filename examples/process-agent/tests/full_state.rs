//! A state on a full or read-only disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;
#[path = "support/small_disk.rs"]
mod small_disk;

use agent::{Home, RUNS, task};
use rustix::mount::{MountFlags, mount_remount};
use small_disk::SmallDisk;

#[test]
fn assignments_without_space_are_reported_and_stored_when_there_is_space() {
    let mut home = Home::new(&task("web", RUNS));
    let name = "assignments_without_space_are_reported_and_stored_when_there_is_space";
    let Some(disk) = SmallDisk::mount(&home.path("disk"), c"size=4m,mode=700", name) else {
        return;
    };
    home.start(&["--state", "disk"]);
    home.wait(|home| home.output(&["ps", "--state", "disk"]).status.success());
    home.wait(|home| home.starts("web") == 1);
    _ = std::fs::write(disk.0.join("fill"), vec![0; 8 << 20]);
    // More tasks than the store has space for.
    let many: String = (0..60)
        .map(|index| {
            let name = format!("many{index}");
            task(&name, "exit 0") + &format!("env = {{ LONG = '{}' }}\n", "x".repeat(60_000))
        })
        .collect();
    home.save(&(task("web", RUNS) + &many));
    home.wait(|home| home.read("out").contains("make room there"));
    let table = home.ask(&["ps", "--state", "disk"]);
    assert!(table.contains("web") && !table.contains("many"), "{table}");
    // There is space for all of them, because the old ones may still be stored when the file is
    // read again.
    mount_remount(&disk.0, MountFlags::empty(), "size=64m,mode=700").unwrap();
    home.save(&[task("web", RUNS), task("one", RUNS)].concat());
    home.wait(|home| home.starts("one") == 1);
    home.wait(|home| home.read("out").contains("resolved: "));
    assert_eq!(home.starts("web"), 1);
    home.kill();
    home.start(&["--state", "disk"]);
    home.wait(|home| home.output(&["ps", "--state", "disk"]).status.success());
    home.save("task = []\n");
    home.wait(|home| home.alive().is_empty());
    home.kill();
}

#[test]
fn a_read_only_state_is_reported() {
    let home = Home::new(&task("web", RUNS));
    let name = "a_read_only_state_is_reported";
    let Some(disk) = SmallDisk::mount(&home.path("disk"), c"size=4m,mode=700", name) else {
        return;
    };
    mount_remount(&disk.0, MountFlags::RDONLY, "").unwrap();
    let error = home.refused(&["run", "tasks.toml", "--state", "disk"]);
    assert!(error.contains("Read-only file system"), "{error}");
    assert!(error.starts_with("process-agent: disk"), "{error}");
}

/// The store has filled the disk, and no other file can be deleted.
#[test]
fn a_store_that_has_filled_its_disk_can_be_emptied() {
    let many: String = (0..40)
        .map(|index| {
            let name = format!("many{index}");
            task(&name, "exit 0") + &format!("env = {{ LONG = '{}' }}\n", "x".repeat(20_000))
        })
        .collect();
    let mut home = Home::new(&(task("web", RUNS) + &many));
    let name = "a_store_that_has_filled_its_disk_can_be_emptied";
    let Some(disk) = SmallDisk::mount(&home.path("disk"), c"size=12m,mode=700", name) else {
        return;
    };
    home.start(&["--state", "disk"]);
    home.wait(|home| {
        let output = home.output(&["ps", "--state", "disk", "--json"]);
        let tasks: Vec<serde_json::Value> =
            serde_json::from_slice(&output.stdout).unwrap_or_default();
        let ended = |task: &&serde_json::Value| task["Status"]["State"] == "complete";
        tasks.iter().filter(ended).count() == 40
    });
    // All except the reserve of the agent.
    let mut fill = std::fs::File::create(disk.0.join("fill")).unwrap();
    while std::io::Write::write_all(&mut fill, &[0; 512]).is_ok() {}
    home.save("task = []\n");
    home.wait(|home| {
        home.alive().is_empty() && home.ask(&["ps", "--state", "disk", "--json"]).trim() == "[]"
    });
    home.kill();
}
