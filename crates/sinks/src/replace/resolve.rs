//! The file itself, behind symbolic links.
//!
//! It protects one rule: a link that another user made leads nowhere. With such a link that user
//! could have a secret written to, or another file of ours replaced in, a place of its choice.

use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

/// Links that are followed at most, as the kernel does.
const LINKS_MAX: usize = 40;

/// The path without links, for this process's user.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    resolve_for(path, rustix::process::geteuid().as_raw())
}

/// The same for some user: links of that one and of root are followed.
pub(super) fn resolve_for(path: &Path, user: u32) -> io::Result<PathBuf> {
    let mut real = PathBuf::from("/");
    let mut left = names(path);
    let mut links = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&name);
        let there = match fs::symlink_metadata(&next) {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound && left.is_empty() => {
                return not_there(path, next, error);
            }
            Err(error) => return Err(error),
        };
        if !there.is_symlink() {
            real = next;
            continue;
        }
        if there.uid() != user && there.uid() != 0 {
            let (link, owner) = (next.display(), there.uid());
            let why = format!("{link} is a symbolic link of another user (uid {owner})");
            return Err(io::Error::new(ErrorKind::PermissionDenied, why));
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(io::Error::other("too many symbolic links"));
        }
        let to = fs::read_link(&next)?;
        if to.is_absolute() {
            real = PathBuf::from("/");
        }
        left.extend(names(&to));
    }
    Ok(real)
}

/// The names of a path, the first one last.
fn names(path: &Path) -> Vec<OsString> {
    let names = path.components().rev();
    names
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        })
        .collect()
}

fn not_there(path: &Path, real: PathBuf, error: io::Error) -> io::Result<PathBuf> {
    match fs::symlink_metadata(path) {
        // A link to nowhere: what it would point to cannot be guessed.
        Ok(_) => Err(io::Error::new(
            error.kind(),
            "it is a symbolic link to nothing",
        )),
        Err(_) => Ok(real),
    }
}
