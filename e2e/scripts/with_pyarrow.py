"""pyarrow: the C++ SDK under data sets of Parquet files, partitioned and filtered."""

import json
import os
from urllib.parse import urlsplit

import pyarrow
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet

bucket = json.loads(os.environ["WANTED"])["bucket"]
endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
fs = pyarrow.fs.S3FileSystem(
    endpoint_override=endpoint.netloc,
    scheme=endpoint.scheme,
    region="us-east-1",
    allow_bucket_creation=True,
    allow_bucket_deletion=True,
)

fs.create_dir(bucket)
table = pyarrow.table({"team": ["a", "b", "a"], "size": [1, 2, 3]})
pyarrow.dataset.write_dataset(
    table,
    f"{bucket}/sizes",
    filesystem=fs,
    format="parquet",
    partitioning=["team"],
    partitioning_flavor="hive",
)
sizes = pyarrow.dataset.dataset(f"{bucket}/sizes", filesystem=fs, partitioning="hive")
assert sizes.count_rows() == 3
found = sizes.to_table(filter=pyarrow.dataset.field("team") == "a", columns=["size"])
assert sorted(found["size"].to_pylist()) == [1, 3]
pyarrow.parquet.write_table(table, f"{bucket}/one.parquet", filesystem=fs)
assert pyarrow.parquet.read_table(f"{bucket}/one.parquet", filesystem=fs).equals(table)

# More than the SDK sends in one request.
large = os.urandom(11 * 1024 * 1024)
with fs.open_output_stream(f"{bucket}/large", metadata={"Content-Type": "text/x"}) as stream:
    stream.write(large)
with fs.open_input_file(f"{bucket}/large") as file:
    assert file.size() == len(large) and file.read_at(3, 5) == large[5:8]
    assert file.metadata()["Content-Type"] == b"text/x"
with fs.open_input_stream(f"{bucket}/large") as stream:
    assert stream.read() == large

fs.copy_file(f"{bucket}/large", f"{bucket}/copy")
fs.move(f"{bucket}/copy", f"{bucket}/folder/moved")
fs.create_dir(f"{bucket}/empty/inner", recursive=True)
selector = pyarrow.fs.FileSelector(bucket, recursive=True)
kinds = {info.path.removeprefix(f"{bucket}/"): info.type for info in fs.get_file_info(selector)}
assert kinds["folder"] == kinds["empty/inner"] == pyarrow.fs.FileType.Directory, kinds
assert kinds["folder/moved"] == pyarrow.fs.FileType.File and "copy" not in kinds
missing = fs.get_file_info(f"{bucket}/none")
assert missing.type == pyarrow.fs.FileType.NotFound
fs.delete_file(f"{bucket}/large")
fs.delete_dir_contents(bucket)
assert fs.get_file_info(selector) == []
fs.delete_dir(bucket)
assert fs.get_file_info(bucket).type == pyarrow.fs.FileType.NotFound
