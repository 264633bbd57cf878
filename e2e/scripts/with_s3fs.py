"""fsspec's s3fs, which pandas and Dask use: files are appended to, listed, copied and removed."""

import json
import os
import urllib.request

import s3fs

bucket = json.loads(os.environ["WANTED"])["bucket"]
MIB = 1024 * 1024
fs = s3fs.S3FileSystem()

fs.mkdir(bucket)
assert bucket in fs.ls("")
fs.pipe(f"{bucket}/small.txt", b"one\n")
with fs.open(f"{bucket}/small.txt", "ab") as file:
    file.write(b"two\n")
assert fs.cat(f"{bucket}/small.txt") == b"one\ntwo\n"

# A large file is appended to by copying it as the first part of a multipart upload.
large = bytes(range(256)) * (6 * MIB // 256)
with fs.open(f"{bucket}/large.bin", "wb", block_size=5 * MIB) as file:
    file.write(large)
with fs.open(f"{bucket}/large.bin", "ab", block_size=5 * MIB) as file:
    file.write(b"the end")
assert fs.info(f"{bucket}/large.bin")["size"] == len(large) + 7
assert fs.cat_file(f"{bucket}/large.bin", start=-9) == large[-2:] + b"the end"
with fs.open(f"{bucket}/large.bin", "rb") as file:
    file.seek(MIB + 1)
    assert file.read(4) == large[MIB + 1 : MIB + 5]

fs.pipe({f"{bucket}/tree/{letter}/{number}": b"x" for letter in "ab" for number in range(3)})
fs.touch(f"{bucket}/tree/empty")
assert fs.ls(f"{bucket}/tree", detail=False) == [f"{bucket}/tree/{n}" for n in ("a", "b", "empty")]
assert fs.isdir(f"{bucket}/tree/a") and not fs.exists(f"{bucket}/tree/c")
assert len(fs.glob(f"{bucket}/tree/*/[01]")) == 4
assert fs.du(f"{bucket}/tree") == 6
assert [len(files) for _, _, files in fs.walk(f"{bucket}/tree")] == [1, 3, 3]

fs.copy(f"{bucket}/large.bin", f"{bucket}/copy.bin")
fs.copy(f"{bucket}/tree/a", f"{bucket}/copied", recursive=True)
assert sorted(fs.find(f"{bucket}/copied")) == [f"{bucket}/copied/{n}" for n in range(3)]
fs.mv(f"{bucket}/tree/a/0", f"{bucket}/moved")
assert fs.exists(f"{bucket}/moved") and not fs.exists(f"{bucket}/tree/a/0")
assert fs.checksum(f"{bucket}/copy.bin") != fs.checksum(f"{bucket}/small.txt")

fs.pipe(f"{bucket}/marked", b"x")
fs.setxattr(f"{bucket}/marked", color="blue")
fs.setxattr(f"{bucket}/marked", copy_kwargs={"ContentType": "text/x"}, size="s")
found = fs.metadata(f"{bucket}/marked", refresh=True)
assert found == {"color": "blue", "size": "s"}, found
fs.put_tags(f"{bucket}/marked", {"team": "a"})
fs.put_tags(f"{bucket}/marked", {"stage": "test"}, mode="m")
assert fs.get_tags(f"{bucket}/marked") == {"team": "a", "stage": "test"}
url = fs.url(f"{bucket}/small.txt", expires=60)
assert urllib.request.urlopen(url, timeout=30).read() == b"one\ntwo\n"

aware = s3fs.S3FileSystem(version_aware=True)
assert aware.cat(f"{bucket}/small.txt") == b"one\ntwo\n"
assert len(aware.object_version_info(f"{bucket}/small.txt")) == 1

with fs.transaction:
    with fs.open(f"{bucket}/later", "wb") as file:
        file.write(b"x")
    assert not fs.exists(f"{bucket}/later")
fs.invalidate_cache()
assert fs.exists(f"{bucket}/later")
try:
    with fs.transaction:
        with fs.open(f"{bucket}/never", "wb", block_size=5 * MIB) as file:
            file.write(large)
        assert len(fs.list_multipart_uploads(bucket)) == 1
        raise InterruptedError
except InterruptedError:
    assert fs.list_multipart_uploads(bucket) == []

try:
    fs.cat(f"{bucket}/none")
except FileNotFoundError:
    pass
else:
    raise AssertionError("read what is not there")
fs.rm(bucket, recursive=True)
assert bucket not in fs.ls("", refresh=True)
