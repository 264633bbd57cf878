//! A cheap client: a blocking keep-alive connection, pre-built requests, and just enough HTTP/1.1
//! to find the end of a response.
//!
//! It supports only responses with a content length. The server sends no others to these requests.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use memchr::memmem;

/// Timeout for a response in seconds, so that a server that hangs ends the run.
const ANSWER_SECS: u64 = 30;
const READ_BYTES: usize = 16 * 1024;

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// A response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply<'a> {
    /// The status.
    pub(crate) status: u16,
    /// Status line and headers, with the empty line.
    pub(crate) head: &'a [u8],
    /// The body.
    pub(crate) body: &'a [u8],
}

impl Reply<'_> {
    /// The text of the first element with this name.
    pub(crate) fn element(&self, name: &str) -> Option<&str> {
        let text = str::from_utf8(self.body).ok()?;
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once('<').map(|(text, _)| text)
    }

    /// The status and the beginning of the body, for error messages.
    pub(crate) fn excerpt(&self) -> String {
        let text: String = String::from_utf8_lossy(self.body)
            .chars()
            .take(300)
            .collect();
        format!("{} {text}", self.status)
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// If nothing listens.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(ANSWER_SECS)))?;
        Ok(Self {
            stream,
            buffer: vec![0; READ_BYTES],
            filled: 0,
        })
    }

    /// Sends a request and reads the response.
    ///
    /// # Errors
    /// If the connection fails or the response is malformed.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> io::Result<Reply<'_>> {
        self.stream.write_all(request)?;
        self.filled = 0;
        loop {
            if self.buffer.len() - self.filled < READ_BYTES / 2 {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            let free = self.buffer.get_mut(self.filled..).unwrap_or_default();
            match self.stream.read(free)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.filled += read,
            }
            let got = self.buffer.get(..self.filled).unwrap_or_default();
            if let Some((status, body, end)) = measure(got)?
                && end <= self.filled
            {
                // Borrow again: the loop above still holds the buffer.
                let got = self.buffer.get(..end).unwrap_or_default();
                let (head, body) = got.split_at_checked(body).unwrap_or_default();
                return Ok(Reply { status, head, body });
            }
        }
    }
}

/// Status, and the range of the body, once the head is complete.
fn measure(got: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let Some(end) = memmem::find(got, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = got.get(..end).unwrap_or_default();
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "not an answer with a length");
    let number = |digits: &[u8]| str::from_utf8(digits).ok()?.parse::<usize>().ok();
    let status = head.get(9..12).and_then(number).ok_or_else(bad)?;
    let status = u16::try_from(status).map_err(|_| bad())?;
    let name = b"content-length: ";
    let length = match memmem::find(head, name) {
        None if status == 204 => 0,
        None => return Err(bad()),
        Some(at) => {
            let value = head.get(at + name.len()..).unwrap_or_default();
            let digits = value.split(|byte| *byte == b'\r').next();
            digits.and_then(number).ok_or_else(bad)?
        }
    };
    Ok(Some((status, end + 4, end + 4 + length)))
}

/// The time, for durations.
#[expect(clippy::disallowed_methods, reason = "measures durations")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::measure;

    #[test]
    fn the_end_of_an_answer() {
        for (got, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-le", Some(None)),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
                Some(Some((200, 38, 41))),
            ),
            (
                "HTTP/1.1 204 No Content\r\ndate: x\r\n\r\n",
                Some(Some((204, 36, 36))),
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                None,
            ),
        ] {
            assert_eq!(measure(got.as_bytes()).ok(), expected, "{got}");
        }
    }
}
