//! Compresses the AWS managed policies for `catalogue.rs`.

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let source = "../../models/aws-managed-policies.jsonl";
    println!("cargo::rerun-if-changed={source}");
    let folder = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    let text = fs::File::open(source)?;
    let packed = fs::File::create(PathBuf::from(folder).join("aws-managed-policies.zst"))?;
    zstd::stream::copy_encode(text, packed, 19)
}
