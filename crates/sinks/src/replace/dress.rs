//! The attributes of a file: owner, mode, ACL, labels and other extended attributes.
//!
//! Invariant: a file that cannot be replaced with all its attributes is rejected before anything
//! changes.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{File, Metadata},
    io::{self, ErrorKind},
    os::{
        fd::AsFd,
        unix::fs::{MetadataExt, PermissionsExt, fchown},
    },
};

use rustix::fs::{AtFlags, OFlags, StatxAttributes, StatxFlags, statx};
use xattr::FileExt;

use super::location::FileLocation;

/// The mode bits that let others read.
const OTHERS_READ: u32 = 0o044;

/// The attributes that a replacement must have.
pub(super) struct FileAttributes {
    there: Metadata,
    attributes: BTreeMap<OsString, Vec<u8>>,
}

impl FileAttributes {
    /// Reads the attributes of a file. `None` if it does not exist.
    pub(super) fn of(location: &FileLocation) -> io::Result<Option<Self>> {
        let Some(file) = location.open(OFlags::RDONLY)? else {
            return Ok(None);
        };
        let there = file.metadata()?;
        if there.permissions().readonly() {
            let kind = ErrorKind::PermissionDenied;
            return Err(io::Error::new(kind, "it is read-only"));
        }
        if there.nlink() > 1 {
            let why = format!(
                "it has {} hard links; the others would keep the old key",
                there.nlink()
            );
            return Err(io::Error::other(why));
        }
        if is_mount(location.folder(), location.name()) {
            let why = "it is a mount point itself (a bind mount) and cannot be replaced; mount its \
                       folder instead";
            return Err(io::Error::other(why));
        }
        let attributes = attributes(&file)?;
        Ok(Some(Self { there, attributes }))
    }

    /// Applies the attributes to another file.
    pub(super) fn put_on(&self, file: &File) -> io::Result<()> {
        let (made, there) = (file.metadata()?, &self.there);
        if (made.uid(), made.gid()) != (there.uid(), there.gid()) {
            fchown(file, Some(there.uid()), Some(there.gid())).map_err(|error| {
                let (user, group) = (there.uid(), there.gid());
                let why = format!("its owner ({user}:{group}) cannot be preserved: {error}");
                io::Error::new(error.kind(), why)
            })?;
        }
        let has = attributes(file)?;
        let retained = |name: &OsString, done: io::Result<()>| {
            done.map_err(|error| {
                let why = format!(
                    "its attribute {} cannot be preserved: {error}",
                    name.display()
                );
                io::Error::new(error.kind(), why)
            })
        };
        // Attributes that it inherited from the folder.
        for name in has
            .keys()
            .filter(|name| !self.attributes.contains_key(*name))
        {
            retained(name, file.remove_xattr(name))?;
        }
        for (name, value) in &self.attributes {
            if has.get(name) != Some(value) {
                retained(name, file.set_xattr(name, value))?;
            }
        }
        // Must be last: an ACL and the mode share bits.
        file.set_permissions(there.permissions())
    }
}

fn attributes(file: &File) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    let names = match file.list_xattr() {
        Ok(names) => names,
        Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let mut found = BTreeMap::new();
    for name in names {
        if let Some(value) = file.get_xattr(&name)? {
            found.insert(name, value);
        }
    }
    Ok(found)
}

/// Whether this name is a mount point.
pub(super) fn is_mount(folder: impl AsFd, name: &OsStr) -> bool {
    let looked = statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    looked.is_ok_and(|looked| looked.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Warnings about a file for the user.
pub(super) fn warnings(dress: &FileAttributes) -> Vec<String> {
    let mode = dress.there.permissions().mode() & 0o7777;
    if mode & OTHERS_READ == 0 {
        return Vec::new();
    }
    vec![format!(
        "other users on this machine can read it (mode {mode:04o}); run chmod 600 unless they need \
         to"
    )]
}
