//! Replacing files: turns, attributes, leftovers of a crash, links.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink},
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use keywright_base::Secret;
use keywright_rotation::ports::SinkError;
use rustix::fs::{CWD, Mode, mkfifoat};
use tokio::{runtime::Builder, time};

use super::{FileLocation, at, dress::is_mount, in_turn, pool};
use crate::document::DocumentContent;

type EditResult = Result<DocumentContent, SinkError>;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work)
}

fn check(path: &Path) -> io::Result<Vec<String>> {
    block_on(in_turn(path, |turn| turn.check())).flatten()
}

fn read(path: &Path) -> io::Result<DocumentContent> {
    block_on(at(path, |location| location.read())).flatten()
}

fn replace(
    path: &Path,
    edit: impl Fn(Option<&[u8]>) -> EditResult + Send + 'static,
) -> Result<(), SinkError> {
    let replaced = block_on(in_turn(path, move |turn| turn.replace(edit)));
    replaced.map_err(|error| super::failed(path, &error))?
}

fn resolve_for(path: &Path, user: u32) -> io::Result<PathBuf> {
    FileLocation::find_for(path, user).map(|location| location.path().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a file of the test")]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

fn put(text: &str) -> impl Fn(Option<&[u8]>) -> Result<DocumentContent, SinkError> {
    let text = text.as_bytes().to_vec();
    move |_| Ok(Some(Secret::new(text.clone())))
}

/// Adds one more line per call, whoever else adds one.
fn add(content: Option<&[u8]>) -> Result<DocumentContent, SinkError> {
    let mut lines = content.unwrap_or_default().to_vec();
    lines.extend_from_slice(b"one more line\n");
    Ok(Some(Secret::new(lines)))
}

#[test]
fn many_write_one_file_by_several_paths_and_no_reader_sees_less() {
    const WRITERS: usize = 12;
    const TIMES: usize = 10;
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("file");
    let linked = folder.path().join("linked");
    symlink(folder.path(), &linked).unwrap();
    write(&real, "");
    let paths = [real.clone(), linked.join("file"), linked.join("./file")];
    let (done, most) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let length = fs::read(&real).unwrap().len();
                let before = most.swap(length, Ordering::Relaxed);
                assert!(length >= before, "{length} after {before}");
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let path = &paths[number % paths.len()];
                scope.spawn(move || {
                    for _ in 0..TIMES {
                        replace(path, add).unwrap();
                        check(path).unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let text = fs::read_to_string(&real).unwrap();
    assert_eq!(text.lines().count(), WRITERS * TIMES);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "nothing is left over"
    );
}

#[test]
fn another_process_in_the_folder_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, "a");
    // A lock belongs to an open file, so this one can stand for another process's.
    let other = fs::File::open(folder.path()).unwrap();
    other.lock().unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| replace(&path, put("b")));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a");
        other.unlock().unwrap();
        writer.join().unwrap().unwrap();
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), "b");
}

#[test]
fn what_is_being_written_is_nobody_elses_and_goes_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, "old");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let location = FileLocation::find(&path).unwrap();
    let dress = super::FileAttributes::of(&location).unwrap();
    let draft = super::TempReplacement::beside(&location, dress.as_ref()).unwrap();
    draft.write(b"a secret").unwrap();
    let left = folder.path().join(&draft.private.name);
    assert_eq!(fs::metadata(&left).unwrap().mode() & 0o777, 0o700);
    let written = fs::metadata(left.join("file")).unwrap();
    assert_eq!(written.mode() & 0o777, 0o644);
    // A killed process cleans up nothing.
    std::mem::forget(draft);
    let earlier = folder.path().join(".file.keywright.4711");
    write(&earlier, "a secret");
    let mine = folder.path().join(".file.keywright.notes");
    write(&mine, "");
    replace(&path, put("new")).unwrap();
    assert!(!left.exists() && !earlier.exists() && mine.exists());
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[test]
fn what_belongs_to_a_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, "old");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    // user::rw-, user:12345:r--, group::r--, mask::r--, other::---
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, mode, id) in [
        (1_u16, 6_u16, u32::MAX),
        (2, 4, 12345),
        (4, 4, u32::MAX),
        (16, 4, u32::MAX),
        (32, 0, u32::MAX),
    ] {
        acl.extend(tag.to_le_bytes());
        acl.extend(mode.to_le_bytes());
        acl.extend(id.to_le_bytes());
    }
    // Not every file system supports both.
    let with_note = xattr::set(&path, "user.note", b"mine").is_ok();
    let with_acl = xattr::set(&path, "system.posix_acl_access", &acl).is_ok();
    let owner = lchown(&path, Some(12345), Some(12346)).is_ok();
    let before = fs::metadata(&path).unwrap();
    assert_eq!(check(&path).unwrap().len(), 1, "others can read it");
    replace(&path, put("new")).unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        (after.mode(), after.uid(), after.gid()),
        (before.mode(), before.uid(), before.gid())
    );
    assert_ne!(after.ino(), before.ino());
    let note = xattr::get(&path, "user.note").ok().flatten();
    assert_eq!(note, with_note.then(|| b"mine".to_vec()));
    let retained = xattr::get(&path, "system.posix_acl_access").ok().flatten();
    assert_eq!(retained, with_acl.then_some(acl));
    assert!(owner || after.uid() != 12345);
}

#[test]
fn files_with_other_names_or_mounts_are_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("file"), folder.path().join("other"));
    write(&path, "old");
    fs::hard_link(&path, &other).unwrap();
    let refused = check(&path).unwrap_err().to_string();
    assert!(refused.contains("it has 2 hard links"), "{refused}");
    assert!(replace(&path, put("new")).is_err());
    assert_eq!(fs::read_to_string(&other).unwrap(), "old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert!(is_mount(CWD, "/proc".as_ref()) && !is_mount(CWD, "/proc/self".as_ref()));
    assert!(!is_mount(CWD, path.as_ref()));
}

#[test]
fn links_of_other_users_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let (real, link) = (home.join("real"), home.join("link"));
    write(&real, "text");
    symlink("real", &link).unwrap();
    let own = fs::symlink_metadata(&link).unwrap().uid();
    assert_eq!(resolve_for(&link, own).unwrap(), real);
    // Root can give the link away; for anyone else, a lookup for another user does the same.
    let _ = lchown(&link, Some(12345), Some(12345));
    let refused = resolve_for(&link, 12346).unwrap_err().to_string();
    assert!(
        refused.contains("is a symbolic link owned by another user (uid"),
        "{refused}"
    );
    // The same in the middle of a path.
    let (inner, way) = (home.join("inner"), home.join("way"));
    fs::create_dir(&inner).unwrap();
    symlink(&inner, &way).unwrap();
    assert_eq!(
        resolve_for(&way.join("new"), own).unwrap(),
        inner.join("new")
    );
    let _ = lchown(&way, Some(12345), Some(12345));
    assert!(resolve_for(&way.join("new"), 12346).is_err());
    // A loop of links, and a link to nothing.
    let (one, two) = (home.join("one"), home.join("two"));
    symlink(&two, &one).unwrap();
    symlink(&one, &two).unwrap();
    assert!(resolve_for(&one, own).is_err());
    let dangling = home.join("dangling");
    symlink(home.join("nothing"), &dangling).unwrap();
    assert!(resolve_for(&dangling, own).is_err());
    assert!(read(&home.join("nothing")).unwrap().is_none());
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (fifo, linked) = (folder.path().join("fifo"), folder.path().join("linked"));
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    symlink(&fifo, &linked).unwrap();
    let socket = folder.path().join("socket");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    for (path, what) in [
        (fifo.as_path(), "a FIFO"),
        (&linked, "a FIFO"),
        (&socket, "a socket"),
        (&inner, "a folder"),
        (Path::new("/dev/null"), "a device"),
    ] {
        let expected = format!("it is not a regular file, but {what}");
        let read = read(path).unwrap_err().to_string();
        assert_eq!(read, expected, "{}", path.display());
        if what != "a device" {
            let refused = check(path).unwrap_err().to_string();
            assert!(refused.ends_with(&expected), "{refused}");
            assert!(replace(path, put("new")).is_err());
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
fn waiting_for_a_locked_folder_occupies_no_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, "old");
    let other = fs::File::open(folder.path()).unwrap();
    other.lock().unwrap();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..3 {
            let path = path.clone();
            waiting.spawn(async move { in_turn(&path, |turn| turn.check()).await.flatten() });
        }
        // While they wait, the only thread is free for others.
        for _ in 0..100 {
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert!(waiting.try_join_next().is_none());
        let mut why = Vec::new();
        while let Some(ended) = waiting.join_next().await {
            why.push(ended.unwrap().unwrap_err().to_string());
        }
        assert!(
            why.iter()
                .any(|why| why == "another program has locked its folder")
        );
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
}

#[test]
fn work_that_never_ends_costs_one_thread() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .max_blocking_threads(2)
        .build()
        .unwrap();
    let (release, stuck) = mpsc::channel::<()>();
    let (entered, began) = tokio::sync::oneshot::channel();
    let path = Path::new("/a file of no test");
    runtime.block_on(async {
        let work = move || {
            let _ = entered.send(());
            let _ = stuck.recv();
        };
        let first = tokio::spawn(pool::run(path, work));
        began.await.unwrap();
        // A client that hangs up frees nothing.
        first.abort();
        let others = (0..20).map(|_| tokio::spawn(pool::run(path, || ())));
        let others: Vec<_> = others.collect();
        let elsewhere = pool::run(Path::new("/another file"), || "done").await;
        assert_eq!(elsewhere.unwrap(), "done");
        // The clock stands still while a thread works.
        time::advance(Duration::from_secs(61)).await;
        for other in others {
            let late = other.await.unwrap().unwrap_err();
            assert!(
                matches!(super::failed(path, &late), SinkError::Later(_)),
                "{late}"
            );
        }
    });
    drop(release);
}

#[test]
fn what_is_put_in_place_of_what_was_checked_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let (inner, elsewhere) = (home.join("inner"), home.join("elsewhere"));
    fs::create_dir(&inner).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    write(&inner.join("file"), "mine");
    write(&elsewhere.join("file"), "another's secret");
    let location = FileLocation::find(&inner.join("file")).unwrap();
    // The file becomes a link.
    fs::rename(inner.join("file"), inner.join("old")).unwrap();
    symlink(elsewhere.join("file"), inner.join("file")).unwrap();
    let refused = location.read().unwrap_err().to_string();
    assert_eq!(refused, "it is not a regular file, but now a symbolic link");
    fs::rename(inner.join("old"), inner.join("file")).unwrap();
    // The folder becomes a link once its turn is taken.
    let moved = home.join("moved");
    let done = block_on(in_turn(&inner.join("file"), {
        let (inner, moved, elsewhere) = (inner.clone(), moved.clone(), elsewhere.clone());
        move |turn| {
            fs::rename(&inner, &moved).unwrap();
            symlink(&elsewhere, &inner).unwrap();
            turn.check().unwrap();
            turn.replace(add)
        }
    }));
    done.unwrap().unwrap();
    let (ours, theirs) = (moved.join("file"), elsewhere.join("file"));
    assert_eq!(fs::read_to_string(ours).unwrap(), "mineone more line\n");
    assert_eq!(fs::read_to_string(theirs).unwrap(), "another's secret");
    for folder in [&moved, &elsewhere] {
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }
}
