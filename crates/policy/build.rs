//! Compresses the table of AWS services for `published.rs`.

use std::{env, fs, io, path::PathBuf};

use flate2::{Compression, write::GzEncoder};

fn main() -> io::Result<()> {
    let source = "data/services.txt";
    println!("cargo::rerun-if-changed={source}");
    let folder = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    let packed = fs::File::create(PathBuf::from(folder).join("services.gz"))?;
    let mut encoder = GzEncoder::new(packed, Compression::best());
    io::copy(&mut fs::File::open(source)?, &mut encoder)?;
    encoder.finish().map(drop)
}
