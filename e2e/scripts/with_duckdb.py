"""DuckDB's httpfs: queries over Parquet and CSV files in a bucket, written and read by globs."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import duckdb_extension_httpfs

bucket = json.loads(os.environ["WANTED"])["bucket"]
endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
# Its own INSTALL asks a server of DuckDB's; this is the file from there, signed.
[extension] = Path(duckdb_extension_httpfs.__file__).parent.glob("extensions/*/*.duckdb_extension")
db = duckdb.connect()
db.execute(f"LOAD '{extension}'")
db.execute(
    "CREATE SECRET (TYPE s3, KEY_ID $key, SECRET $secret, REGION 'us-east-1', "
    "ENDPOINT $endpoint, USE_SSL $tls, URL_STYLE 'path')",
    {
        "key": os.environ["AWS_ACCESS_KEY_ID"],
        "secret": os.environ["AWS_SECRET_ACCESS_KEY"],
        "endpoint": endpoint.netloc,
        "tls": endpoint.scheme == "https",
    },
)


def one(query: str):
    """The only value of a query's answer."""
    [[value]] = db.execute(query).fetchall()
    return value


db.execute(
    "CREATE TABLE sizes AS SELECT i, i % 3 AS team, repeat(md5(i::VARCHAR), 8) AS text "
    "FROM range(100000) AS of(i)"
)
# More than one part of a multipart upload.
db.execute(f"COPY sizes TO 's3://{bucket}/sizes.parquet' (COMPRESSION uncompressed)")
assert one(f"SELECT sum(i) FROM 's3://{bucket}/sizes.parquet'") == 4999950000
assert one(f"SELECT text FROM 's3://{bucket}/sizes.parquet' WHERE i = 99999").startswith("d3eb")
db.execute(f"COPY sizes TO 's3://{bucket}/by team' (FORMAT csv, PARTITION_BY team)")
assert one(f"SELECT count(*) FROM read_csv('s3://{bucket}/by team/*/*.csv')") == 100000
teams = f"read_csv('s3://{bucket}/by team/**', hive_partitioning = true)"
assert one(f"SELECT min(i) FROM {teams} WHERE team = 2") == 2
assert one(f"SELECT count(*) FROM glob('s3://{bucket}/*.parquet')") == 1
try:
    one(f"SELECT * FROM 's3://{bucket}/none.parquet'")
except duckdb.HTTPException as error:
    assert "404" in str(error), error
else:
    raise AssertionError("read what is not there")
