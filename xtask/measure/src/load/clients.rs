//! The kinds of clients: repeating signed requests, creating and deleting access keys, and writing
//! and flushing a file.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};

use super::drive::Client;
use crate::{
    client::Connection,
    requests::{self, Key},
};

/// Repeats requests that were signed in advance.
pub(super) struct Repeating {
    connection: Connection,
    requests: Arc<Vec<Vec<u8>>>,
    next: usize,
}

impl Repeating {
    pub(super) fn new(connection: Connection, requests: Arc<Vec<Vec<u8>>>) -> Self {
        Self {
            connection,
            requests,
            next: 0,
        }
    }
}

impl Client for Repeating {
    fn step(&mut self) -> anyhow::Result<()> {
        let request = self.requests.get(self.next).context("no requests")?;
        self.next = (self.next + 1) % self.requests.len();
        let reply = self.connection.exchange(request)?;
        ensure!(reply.status == 200, "not answered: {}", reply.excerpt());
        Ok(())
    }

    fn warm_up_steps(&self) -> usize {
        self.requests.len()
    }
}

/// Alternately creates and deletes a second access key of its own user. Each is one step.
pub(super) struct Rotating {
    connection: Connection,
    address: std::net::SocketAddr,
    key: Key,
    create: Vec<u8>,
    made: Option<String>,
}

impl Rotating {
    pub(super) fn new(address: std::net::SocketAddr, key: Key) -> anyhow::Result<Self> {
        Ok(Self {
            connection: Connection::open(address)?,
            address,
            create: requests::query(address, &key, ("iam", "CreateAccessKey"), &[])?,
            key,
            made: None,
        })
    }
}

impl Client for Rotating {
    fn step(&mut self) -> anyhow::Result<()> {
        let Some(id) = self.made.take() else {
            let reply = self.connection.exchange(&self.create)?;
            ensure!(reply.status == 200, "not created: {}", reply.excerpt());
            let id = reply
                .element("AccessKeyId")
                .context("no key in the answer")?;
            self.made = Some(id.to_owned());
            return Ok(());
        };
        let parameters = [("AccessKeyId", id.as_str())];
        let action = ("iam", "DeleteAccessKey");
        let delete = requests::query(self.address, &self.key, action, &parameters)?;
        let reply = self.connection.exchange(&delete)?;
        ensure!(reply.status == 200, "not deleted: {}", reply.excerpt());
        Ok(())
    }

    fn warm_up_steps(&self) -> usize {
        2
    }
}

/// Appends a record to a file and flushes it: the cost of a durable write without any server.
pub(super) struct Flushing {
    file: File,
    record: Vec<u8>,
    delay: Duration,
}

impl Flushing {
    /// Writes this many bytes at a time, on a disk whose every flush takes this much longer.
    pub(super) fn new(path: &Path, bytes: usize, delay: Duration) -> anyhow::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            file,
            record: vec![b'k'; bytes],
            delay,
        })
    }
}

impl Client for Flushing {
    fn step(&mut self) -> anyhow::Result<()> {
        self.file.write_all(&self.record)?;
        self.file.sync_data()?;
        if !self.delay.is_zero() {
            #[expect(
                clippy::disallowed_methods,
                reason = "nothing happens while a disk flushes"
            )]
            thread::sleep(self.delay);
        }
        Ok(())
    }

    fn warm_up_steps(&self) -> usize {
        8
    }
}
