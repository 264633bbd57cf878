//! Where a file is, after symbolic links are resolved: an open folder and a name in it.
//!
//! Invariants: Only links of this process's user and of root are followed; otherwise another user
//! could have a secret written to a place of its choice, or have another of our files replaced.
//! What was checked is what is used: every component of the path is opened before it is checked, so
//! nobody can swap in a link afterwards. Only regular files are opened, and no open blocks.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, ErrorKind, Read},
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    path::{Component, Path, PathBuf},
};

use keywright_base::{Secret, limits};
use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, statat},
    io::Errno,
};

use crate::document::DocumentContent;

/// The maximum number of links to follow, the same as the kernel's.
const LINKS_MAX: usize = 40;

/// Opens only the entry itself, and never blocks, as opening a FIFO or a file with a lease would.
const SAFELY: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);
/// Opens an entry only to inspect it and to continue from it.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A file, or the place of one that does not exist.
#[derive(Debug)]
pub(in super::super) struct FileLocation {
    folder: OwnedFd,
    name: OsString,
    /// For messages: the path without links.
    path: PathBuf,
}

impl FileLocation {
    /// Follows links of this process's user and of root.
    pub(super) fn find(path: &Path) -> io::Result<Self> {
        Self::find_for(path, rustix::process::geteuid().as_raw())
    }

    /// Follows links of the given user and of root.
    pub(super) fn find_for(path: &Path, user: u32) -> io::Result<Self> {
        let (mut real, mut folder) = (PathBuf::from("/"), open_folder(Path::new("/"))?);
        let mut left = names(path);
        let (mut links, mut file_is_link) = (0, false);
        while let Some(name) = left.pop() {
            if name == ".." {
                real.pop();
                folder = open_folder(&real)?;
                continue;
            }
            let next = real.join(&name);
            let entry = match openat(&folder, &name, LOOK, Mode::empty()) {
                Err(Errno::NOENT) if left.is_empty() && file_is_link => {
                    // The place that the link is meant for is unknown.
                    let why = "it is a dangling symbolic link";
                    return Err(io::Error::new(ErrorKind::NotFound, why));
                }
                Err(Errno::NOENT) if left.is_empty() => {
                    return Ok(Self {
                        folder,
                        name,
                        path: next,
                    });
                }
                other => other?,
            };
            let there = fstat(&entry)?;
            if FileType::from_raw_mode(there.st_mode) != FileType::Symlink {
                if left.is_empty() {
                    return Ok(Self {
                        folder,
                        name,
                        path: next,
                    });
                }
                (folder, real) = (entry, next);
                continue;
            }
            if there.st_uid != user && there.st_uid != 0 {
                let (link, owner) = (next.display(), there.st_uid);
                let why = format!("{link} is a symbolic link owned by another user (uid {owner})");
                return Err(io::Error::new(ErrorKind::PermissionDenied, why));
            }
            links += 1;
            if links > LINKS_MAX {
                return Err(io::Error::other("too many symbolic links"));
            }
            file_is_link |= left.is_empty();
            // Of the opened link, even if its name now stands for something else.
            let to = readlinkat(&entry, c"", Vec::new())?;
            let to = PathBuf::from(OsString::from_vec(to.into_bytes()));
            if to.is_absolute() {
                (real, folder) = (PathBuf::from("/"), open_folder(Path::new("/"))?);
            }
            left.extend(names(&to));
        }
        Err(io::Error::other("it is a folder"))
    }

    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// The folder as a base for other calls. It can be neither read nor locked.
    pub(super) fn folder(&self) -> &OwnedFd {
        &self.folder
    }

    /// The same folder, opened for reading, locking and flushing.
    pub(super) fn open_folder(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | SAFELY;
        let opened = openat(&self.folder, c".", flags, Mode::empty());
        opened.map(File::from).map_err(|error| {
            let folder = self.path.parent().unwrap_or_else(|| Path::new("/"));
            let why = format!("its folder {} cannot be opened: {error}", folder.display());
            io::Error::new(error.kind(), why)
        })
    }

    /// Opens the file. `None` if it does not exist.
    pub(super) fn open(&self, access: OFlags) -> io::Result<Option<File>> {
        // Opening a device can have side effects.
        match statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            other => require_regular(other?.st_mode)?,
        }
        let file = match openat(&self.folder, &self.name, access | SAFELY, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            other => File::from(other?),
        };
        require_regular(fstat(&file)?.st_mode)?;
        Ok(Some(file))
    }

    /// Its content, up to a maximum size.
    pub(in super::super) fn read(&self) -> io::Result<DocumentContent> {
        let Some(file) = self.open(OFlags::RDONLY)? else {
            return Ok(None);
        };
        let mut content = Vec::new();
        let most = limits::CREDENTIALS_FILE_BYTES;
        file.take(most + 1).read_to_end(&mut content)?;
        if u64::try_from(content.len()).unwrap_or(u64::MAX) > most {
            return Err(io::Error::other(format!("it is longer than {most} bytes")));
        }
        Ok(Some(Secret::new(content)))
    }

    /// Names in its folder, up to a maximum number.
    pub(in super::super) fn neighbours(&self, most: usize) -> Vec<String> {
        let entries = self.open_folder().ok().and_then(|it| Dir::new(it).ok());
        let names = entries.into_iter().flatten().filter_map(|entry| {
            let name = entry.ok()?.file_name().to_str().ok()?.to_owned();
            (name != "." && name != "..").then_some(name)
        });
        names.take(most).collect()
    }
}

/// Opens a folder as a base for other calls. Its path has no links.
fn open_folder(real: &Path) -> io::Result<OwnedFd> {
    let flags = LOOK | OFlags::DIRECTORY;
    let mut folder = openat(CWD, c"/", flags, Mode::empty())?;
    for name in names(real).into_iter().rev() {
        folder = openat(&folder, name, flags, Mode::empty())?;
    }
    Ok(folder)
}

fn require_regular(mode: u32) -> io::Result<()> {
    let what = match FileType::from_raw_mode(mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Fifo => "a FIFO",
        FileType::Directory => "a folder",
        FileType::Socket => "a socket",
        FileType::Symlink => "now a symbolic link",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "of an unknown kind",
    };
    Err(io::Error::other(format!(
        "it is not a regular file, but {what}"
    )))
}

/// The components of a path, last one first.
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
