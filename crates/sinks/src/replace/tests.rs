//! Replacing files: turns, what belongs to a file, what a crash leaves, links.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink},
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use keywright_base::Secret;
use keywright_rotation::ports::SinkError;

use super::{check, dress::is_mount, read, replace, resolve::resolve_for};
use crate::document::DocumentContent;

#[expect(clippy::disallowed_methods, reason = "a file of the test")]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

fn put(text: &str) -> impl Fn(Option<&[u8]>) -> Result<DocumentContent, SinkError> {
    let text = text.as_bytes().to_vec();
    move |_| Ok(Some(Secret::new(text.clone())))
}

/// One more line for each call, whoever else adds one.
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
    // A lock is the open file's, so this one stands for another process's.
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
    let dress = super::FileAttributes::of(&path).unwrap();
    let draft = super::TempReplacement::beside(&path, dress.as_ref()).unwrap();
    draft.write(b"a secret").unwrap();
    let private = draft.path.parent().unwrap();
    assert_eq!(fs::metadata(private).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(&draft.path).unwrap().mode() & 0o777, 0o644);
    let left = private.to_owned();
    // A process that is killed cleans up nothing.
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
    // Not every file system has both.
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
    assert!(refused.contains("it has 2 names (hard links)"), "{refused}");
    assert!(replace(&path, put("new")).is_err());
    assert_eq!(fs::read_to_string(&other).unwrap(), "old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert!(is_mount(Path::new("/proc")) && !is_mount(Path::new("/proc/self")));
    assert!(!is_mount(&path));
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
    // Root may give it away; for anyone else another user's process is as good.
    let _ = lchown(&link, Some(12345), Some(12345));
    let refused = resolve_for(&link, 12346).unwrap_err().to_string();
    assert!(
        refused.contains("is a symbolic link of another user (uid"),
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
    // Round and round, and to nowhere.
    let (one, two) = (home.join("one"), home.join("two"));
    symlink(&two, &one).unwrap();
    symlink(&one, &two).unwrap();
    assert!(resolve_for(&one, own).is_err());
    let dangling = home.join("dangling");
    symlink(home.join("nothing"), &dangling).unwrap();
    assert!(resolve_for(&dangling, own).is_err());
    assert!(read(&home.join("nothing")).unwrap().is_none());
}
