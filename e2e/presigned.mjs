// URLs that the JavaScript SDK presigns as it is installed, used by `fetch`: one JSON line for
// each, read by test_javascript.py.
//
// What the SDK hoists into the query (metadata, tags, storage class, preconditions) has no header
// beside it; what it leaves in the headers is sent there.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.KEYWRIGHT_NODE_MODULES}/`);
const s3 = require("@aws-sdk/client-s3");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const { endpoint, credentials, bucket } = JSON.parse(readFileSync(0, "utf8"));
const client = new s3.S3Client({ endpoint, region: "us-east-1", credentials, maxAttempts: 1 });

/** Presigns a command, uses the URL and says what became of it. */
async function use(step, command, method, options = {}) {
  const { body, headers, ...signing } = options;
  const url = await getSignedUrl(client, command, signing);
  const answer = await fetch(url, { method, body, headers });
  const text = await answer.text();
  const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1];
  const hoisted = [...new URL(url).searchParams.keys()].filter((name) => name.startsWith("x-amz-"));
  console.log(JSON.stringify({ step, status: answer.status, code, hoisted }));
  return text;
}

const key = { Bucket: bucket, Key: "a b/ü.txt" };
const put = {
  ...key,
  Metadata: { color: "light blue", shape: "round" },
  Tagging: "team=a&stage=test",
  StorageClass: "STANDARD_IA",
  ContentType: "text/markdown",
};
const type = { "content-type": "text/markdown" };
await use("put", new s3.PutObjectCommand(put), "PUT", { body: "hello", headers: type });
await use("get", new s3.GetObjectCommand({ ...key, ResponseContentType: "text/plain" }), "GET");
const once = new s3.PutObjectCommand({ ...key, IfNoneMatch: "*" });
await use("put once", once, "PUT", { body: "x", headers: { "if-none-match": "*" } });
const signed = { unhoistableHeaders: new Set(["x-amz-meta-color"]) };
const colored = new s3.PutObjectCommand({ ...key, Metadata: { color: "red" } });
await use("put without its header", colored, "PUT", { body: "x", ...signed });
const sent = { body: "hello", headers: { "x-amz-meta-color": "red" } };
await use("put with its header", colored, "PUT", { ...sent, ...signed });
const source = encodeURI(`${bucket}/${key.Key}`);
const copy = { Bucket: bucket, Key: "copy", CopySource: source };
await use("copy", new s3.CopyObjectCommand(copy), "PUT");
await use("begin", new s3.CreateMultipartUploadCommand({ ...key, Metadata: { a: "1" } }), "POST");
await use("delete", new s3.DeleteObjectCommand(key), "DELETE");
await use("get deleted", new s3.GetObjectCommand(key), "GET");
