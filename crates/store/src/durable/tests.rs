//! Tests each way of writing a file: content, mode and leftovers.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::{create_dir, create_new, create_private, folder_of, publish, replace};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_new_file_is_private_and_never_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    create_new(&path, b"first").unwrap();
    let refused = create_new(&path, b"second").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(folder.path()), ["key"]);
}

#[test]
fn a_replaced_file_is_private_even_if_the_old_one_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    fs::File::create(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    for content in [b"one".as_slice(), b"", b"three"] {
        replace(&path, content).unwrap();
        assert_eq!(fs::read(&path).unwrap(), content);
        assert_eq!(mode(&path), 0o600);
    }
    assert_eq!(names(folder.path()), ["state"]);
}

#[test]
fn a_failed_replace_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("occupied");
    fs::create_dir(&path).unwrap();
    replace(&path, b"x").unwrap_err();
    assert_eq!(names(folder.path()), ["occupied"]);
}

#[test]
fn a_published_file_has_its_final_name_only() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("part"), folder.path().join("blob"));
    let mut file = create_private(&from).unwrap();
    file.write_all(b"bytes").unwrap();
    publish(&file, &from, &to).unwrap();
    assert_eq!(fs::read(&to).unwrap(), b"bytes");
    assert_eq!(mode(&to), 0o600);
    assert_eq!(names(folder.path()), ["blob"]);
}

#[test]
fn folders_are_private_and_may_exist() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b/c");
    create_dir(&deep).unwrap();
    create_dir(&deep).unwrap();
    assert_eq!(
        (mode(&deep), mode(&folder.path().join("a"))),
        (0o700, 0o700)
    );
    let file = folder.path().join("file");
    create_new(&file, b"").unwrap();
    create_dir(&file).unwrap_err();
}

#[test]
fn the_folder_of_a_path() {
    for (path, folder) in [("a", "."), ("a/b", "a"), ("/a", "/"), ("/", "/")] {
        assert_eq!(folder_of(Path::new(path)), Path::new(folder), "{path}");
    }
}
