//! Compresses the AWS managed policies for `catalogue.rs`.

use std::{env, fs, io, path::PathBuf};

use flate2::{Compression, write::GzEncoder};

fn main() -> io::Result<()> {
    let folder = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    for name in ["aws-managed-policies", "aws-managed-policy-versions"] {
        let source = format!("../../models/{name}.jsonl");
        println!("cargo::rerun-if-changed={source}");
        let packed = fs::File::create(PathBuf::from(&folder).join(format!("{name}.gz")))?;
        let mut encoder = GzEncoder::new(packed, Compression::best());
        io::copy(&mut fs::File::open(source)?, &mut encoder)?;
        encoder.finish()?;
    }
    Ok(())
}
