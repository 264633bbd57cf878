// Uploads that are denied, of sizes that the JavaScript SDK sends in different ways: in one piece,
// in many, and after `Expect: 100-continue`. One JSON line for each, read by test_javascript.py.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.KEYWRIGHT_NODE_MODULES}/`);
const { S3Client, PutObjectCommand } = require("@aws-sdk/client-s3");

const { endpoint, credentials, bucket } = JSON.parse(readFileSync(0, "utf8"));
const client = new S3Client({ endpoint, region: "us-east-1", credentials, maxAttempts: 1 });

for (const bytes of [64 * 1024, 2_000_000, 12_000_000]) {
  for (let round = 0; round < 10; round += 1) {
    const put = new PutObjectCommand({ Bucket: bucket, Key: "k", Body: Buffer.alloc(bytes) });
    try {
      const { $metadata } = await client.send(put);
      console.log(JSON.stringify({ bytes, name: "stored", status: $metadata.httpStatusCode }));
    } catch (error) {
      const { name, message, $metadata } = error;
      console.log(JSON.stringify({ bytes, name, message, status: $metadata?.httpStatusCode }));
    }
  }
}
