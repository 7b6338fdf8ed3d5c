//! Rotation by `copytruncate` into the same copy again and again.

use super::*;

/// Writes lines one by one for as long as nobody else holds the file, and counts them.
fn steady_writer(
    path: PathBuf,
    stop: Arc<AtomicBool>,
) -> (Arc<tokio::sync::Mutex<u64>>, std::thread::JoinHandle<()>) {
    let written = Arc::new(tokio::sync::Mutex::new(0));
    let counter = Arc::clone(&written);
    let thread = std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let mut written = counter.blocking_lock();
            append(&path, &line(*written));
            *written += 1;
            let pauses = written.is_multiple_of(20);
            drop(written);
            if pauses {
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    });
    (written, thread)
}

fn copy_and_truncate(path: &Path, copy: &Path) {
    fs::copy(path, copy).expect("copies");
    OpenOptions::new().write(true).truncate(true).open(path).expect("truncates");
}

/// Rotates under writing: of each turn some lines are read from the file and some from its copy.
async fn rotate_into_one_copy(pattern: &str) {
    let folder = tempfile::tempdir().expect("folder");
    let (path, copy) = (folder.path().join("a.log"), folder.path().join("a.log.1"));
    let stop = Arc::new(AtomicBool::new(false));
    let (written, writing) = steady_writer(path.clone(), Arc::clone(&stop));
    // Copies are waited on for longer than the test: each is overwritten while it is.
    let mut running = start_with_quiet(config(&folder.path().join(pattern)), Kept::default(), LIMIT);
    for _ in 0..8 {
        let before = running.kept.requests;
        running.until_requests(before + 200).await;
        let guard = written.lock().await;
        copy_and_truncate(&path, &copy);
        drop(guard);
        let before = running.kept.requests;
        running.until_requests(before + 200).await;
        // Nobody could read a copy that is overwritten before its turn comes.
        let guard = written.lock().await;
        running.until_requests(*guard).await;
        drop(guard);
    }
    stop.store(true, Ordering::Relaxed);
    writing.join().expect("wrote");
    let written = *written.lock().await;
    running.until_requests(written).await;
    running.until("truncations", |running| running.handle.status().truncated >= 8).await;
    let status = running.handle.status();
    assert_eq!(running.stop().await.requests, written);
    assert_eq!((status.truncated_without_copy, status.lost_files), (0, 0), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_each_rotation_overwrites_is_no_loss() {
    rotate_into_one_copy("a.log").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_the_paths_name_and_each_rotation_overwrites_is_no_loss() {
    rotate_into_one_copy("a.log*").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_overwritten_before_its_end_was_read_is_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let (path, copy) = (folder.path().join("a.log"), folder.path().join("a.log.1"));
    append(&path, &(0..50).map(line).collect::<String>());
    let mut running = start_with_quiet(config(&path), Kept::default(), LIMIT);
    running.until_requests(50).await;
    append(&path, "1795362004.000 200 0.1 \"GET /half");
    copy_and_truncate(&path, &copy);
    running.until("the copy is known", |running| running.handle.status().files == 2).await;
    copy_and_truncate(&path, &copy);
    running.until("told", |running| running.handle.status().truncated_without_copy == 1).await;
    assert_eq!(running.stop().await.requests, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_overwritten_while_nobody_read_is_counted_only_if_lines_are_gone() {
    let folder = tempfile::tempdir().expect("folder");
    let (path, copy) = (folder.path().join("a.log"), folder.path().join("a.log.1"));
    append(&path, &(0..50).map(line).collect::<String>());
    let mut running = start_with_quiet(config(&path), Kept::default(), LIMIT);
    running.until_requests(50).await;
    append(&path, &line(50));
    copy_and_truncate(&path, &copy);
    running.until_requests(51).await;
    append(&path, &(51..100).map(line).collect::<String>());
    running.until_requests(100).await;
    let kept = running.stop().await;

    // Nothing is gone: the copy was read, and what is in the file now is in the next copy.
    append(&path, &line(100));
    copy_and_truncate(&path, &copy);
    append(&path, &line(101));
    let mut running = start_with_quiet(config(&path), kept, LIMIT);
    running.until_requests(102).await;
    running.until("told", |running| running.handle.status().files == 2).await;
    let status = running.handle.status();
    assert_eq!((status.truncated_without_copy, status.lost_files), (0, 0), "{status:?}");
    append(&path, &(102..130).map(line).collect::<String>());
    running.until_requests(130).await;
    let kept = running.stop().await;

    // Line 130 was in a copy that another was written over before anybody looked.
    append(&path, &line(130));
    copy_and_truncate(&path, &copy);
    append(&path, &line(131));
    copy_and_truncate(&path, &copy);
    append(&path, &line(132));
    let mut running = start_with_quiet(config(&path), kept, LIMIT);
    running.until_requests(131).await;
    running.until("told", |running| running.handle.status().truncated_without_copy == 1).await;
    assert_eq!(running.stop().await.requests, 131);
}
