//! A full disk: the exit code is kept, and lost lines are counted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/small_disk.rs"]
mod small_disk;
#[path = "support/task.rs"]
mod task;

use process_agent::{
    definition::ProcessDefinition,
    keeper::{By, State},
    log::{LogWriter, Record, Stream},
};
use small_disk::SmallDisk;
use task::Task;
use time::UtcDateTime;

#[tokio::test]
async fn a_full_disk_keeps_the_exit_code() {
    let mut task = Task::new();
    let Some(disk) =
        SmallDisk::mount(&task.path("disk"), c"size=256k", "a_full_disk_keeps_the_exit_code")
    else {
        return;
    };
    task.keeper = task::keeper(disk.0.join("task"));
    let script = "
        cat /dev/zero > ../../fill 2>/dev/null
        i=0; while test $i -lt 2000; do echo a line that does not fit any more $i; i=$((i+1)); done
        while ! test -e ../../../go; do sleep 0.01; done
        exit 9
    ";
    let definition = ProcessDefinition::new(["sh", "-c", script]);
    task.keeper.prepare(&definition).unwrap();
    task.start().await;
    loop {
        let state = task.keeper.state().await.unwrap();
        let State::Running { log_error, .. } = state else { panic!("{state:?}") };
        if let Some(error) = log_error {
            assert_eq!(error, "No space left on device (os error 28)");
            break;
        }
        tokio::task::yield_now().await;
    }
    std::fs::write(task.path("go"), "").unwrap();
    assert_eq!(task.code().await, (9, By::Exit));
    // Read it from the disk, not from the keeper's memory.
    let keeper = format!("/proc/{}/cmdline", task.keeper_pid());
    while std::fs::read(&keeper).is_ok_and(|command| !command.is_empty()) {
        tokio::task::yield_now().await;
    }
    assert_eq!(task.code().await, (9, By::Exit));
}

#[tokio::test]
async fn lost_lines_are_noted_as_soon_as_there_is_space() {
    let mut task = Task::new();
    let name = "lost_lines_are_noted_as_soon_as_there_is_space";
    let Some(disk) = SmallDisk::mount(&task.path("disk"), c"size=256k", name) else {
        return;
    };
    task.keeper = task::keeper(disk.0.clone());
    let record = |text: &str| Record {
        at: UtcDateTime::now(),
        stream: Stream::Stdout,
        bytes: text.as_bytes().to_vec(),
        continues: false,
        partial: false,
    };
    let mut writer = LogWriter::open(&disk.0, 1 << 20, 1).unwrap();
    writer.append(&record("before"));
    let full = std::fs::write(disk.0.join("fill"), vec![0; 1 << 20]);
    assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    // The last page of the log still has space.
    let long = "x".repeat(5000);
    writer.append(&record(&long));
    writer.append(&record(&long));
    assert_eq!(writer.error(), Some("No space left on device (os error 28)"));
    std::fs::remove_file(disk.0.join("fill")).unwrap();
    writer.append(&record("after"));
    assert_eq!(writer.error(), None);
    let records = task.records().await;
    let (notes, lines): (Vec<_>, Vec<_>) = records.iter().partition(|r| r.stream == Stream::Note);
    let text = |records: &[&Record]| -> Vec<String> {
        let text = |r: &&Record| String::from_utf8(r.bytes.clone()).unwrap();
        records.iter().map(text).collect()
    };
    assert_eq!(text(&lines), ["before", "after"]);
    // A note is shorter than a line, so there may have been space for it between the two.
    let mut lost = 0;
    for note in text(&notes) {
        let (number, rest) = note.split_once(' ').unwrap();
        assert!(rest.ends_with("lost: No space left on device (os error 28)"), "{note}");
        lost += number.parse::<u32>().unwrap();
    }
    assert_eq!(lost, 2);
}

#[tokio::test]
async fn each_line_of_a_task_on_a_full_disk_is_in_the_log_or_counted() {
    let mut task = Task::new();
    let name = "each_line_of_a_task_on_a_full_disk_is_in_the_log_or_counted";
    let Some(disk) = SmallDisk::mount(&task.path("disk"), c"size=256k", name) else {
        return;
    };
    task.keeper = task::keeper(disk.0.join("task"));
    let script = "
        cat /dev/zero > ../../fill 2>/dev/null
        i=0; while test $i -lt 3000; do echo line $i; i=$((i+1)); done
        while ! test -e ../../../go; do sleep 0.01; done
        echo the end
    ";
    task.keeper.prepare(&ProcessDefinition::new(["sh", "-c", script])).unwrap();
    task.start().await;
    let log_error = async || {
        let state = task.keeper.state().await.unwrap();
        let State::Running { log_error, .. } = state else { panic!("{state:?}") };
        log_error
    };
    let wait = async |is_lost: bool| {
        let changed = async {
            while log_error().await.is_some() != is_lost {
                tokio::task::yield_now().await;
            }
        };
        let changed = tokio::time::timeout(task::GUARD, changed).await;
        changed.unwrap_or_else(|_| panic!("is losing lines: expected {is_lost} within the limit"));
    };
    wait(true).await;
    std::fs::remove_file(disk.0.join("fill")).unwrap();
    // The note is written even if the task prints nothing.
    wait(false).await;
    std::fs::write(task.path("go"), "").unwrap();
    assert_eq!(task.code().await, (0, By::Exit));
    let (mut last, mut lost, mut lines) = (-1, 0, 0);
    for record in task.records().await {
        let text = String::from_utf8(record.bytes).unwrap();
        if record.stream == Stream::Note {
            let (number, rest) = text.split_once(' ').unwrap();
            assert!(rest.ends_with("lost: No space left on device (os error 28)"), "{text}");
            lost += number.parse::<i32>().unwrap();
        } else if let Some(number) = text.strip_prefix("line ") {
            let number = number.parse::<i32>().unwrap();
            assert!(number > last, "{number} comes after {last}");
            last = number;
            lines += 1;
        } else {
            assert_eq!(text, "the end");
        }
    }
    assert!(lost > 0);
    assert_eq!(lines + lost, 3000);
}

#[test]
fn preparing_a_task_on_a_full_disk_fails_with_the_reason() {
    let mut task = Task::new();
    let name = "preparing_a_task_on_a_full_disk_fails_with_the_reason";
    let Some(disk) = SmallDisk::mount(&task.path("disk"), c"size=256k", name) else {
        return;
    };
    let full = std::fs::write(disk.0.join("fill"), vec![0; 1 << 20]);
    assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    let dir = disk.0.join("task");
    task.keeper = task::keeper(dir.clone());
    let error = task.keeper.prepare(&ProcessDefinition::new(["true"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}/exit.json: No space left on device (os error 28); make room there",
            dir.display()
        )
    );
    assert!(error.is_temporary());
    std::fs::remove_file(disk.0.join("fill")).unwrap();
    task.keeper.prepare(&ProcessDefinition::new(["true"])).unwrap();
}

#[tokio::test]
async fn starting_a_task_on_a_full_disk_fails_with_the_same_advice() {
    let mut task = Task::new();
    let name = "starting_a_task_on_a_full_disk_fails_with_the_same_advice";
    let Some(disk) = SmallDisk::mount(&task.path("disk"), c"size=256k", name) else {
        return;
    };
    let dir = disk.0.join("task");
    task.keeper = task::keeper(dir.clone());
    task.keeper.prepare(&ProcessDefinition::new(["true"])).unwrap();
    let full = std::fs::write(disk.0.join("fill"), vec![0; 1 << 20]);
    assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    let error = task.keeper.spawn().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the keeper of {} could not start: No space left on device (os error 28); make room there",
            dir.display()
        )
    );
    assert!(error.is_temporary());
    std::fs::remove_file(disk.0.join("fill")).unwrap();
    task.keeper.spawn().await.unwrap();
    assert_eq!(task.code().await, (0, By::Exit));
}
