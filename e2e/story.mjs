// The story with the JavaScript SDK: one JSON line for each step, read by test_javascript.py.
//
// It stops at the first step that does not end as it should; what a step should give is asserted
// by its reader.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.KEYWRIGHT_NODE_MODULES}/`);
const iam = require("@aws-sdk/client-iam");
const s3 = require("@aws-sdk/client-s3");
const sts = require("@aws-sdk/client-sts");

const { endpoint, root, user, bucket } = JSON.parse(readFileSync(0, "utf8"));
const region = "ap-south-1";

/** The three clients of one key. */
function clients(credentials) {
  const config = { endpoint, region, credentials, maxAttempts: 1 };
  return {
    iam: new iam.IAMClient(config),
    s3: new s3.S3Client(config),
    sts: new sts.STSClient(config),
  };
}

/** Says what became of a call. */
async function step(name, client, command) {
  try {
    const { $metadata, ...answer } = await client.send(command);
    const body = answer.Body ? await answer.Body.transformToString() : undefined;
    console.log(JSON.stringify({ step: name, status: $metadata.httpStatusCode, body }));
    return answer;
  } catch (error) {
    const status = error.$metadata?.httpStatusCode;
    console.log(JSON.stringify({ step: name, status, code: error.name, message: error.message }));
    return undefined;
  }
}

const pair = (answer) => ({
  accessKeyId: answer.AccessKey.AccessKeyId,
  secretAccessKey: answer.AccessKey.SecretAccessKey,
});
const arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
const admin = clients(root);
const named = { UserName: user };

await step("create user", admin.iam, new iam.CreateUserCommand(named));
await step("attach", admin.iam, new iam.AttachUserPolicyCommand({ ...named, PolicyArn: arn }));
const old = pair(await step("first key", admin.iam, new iam.CreateAccessKeyCommand(named)));
const mine = clients(old);
await step("bucket", mine.s3, new s3.CreateBucketCommand({ Bucket: bucket }));
const object = { Bucket: bucket, Key: "a b/é" };
await step("put", mine.s3, new s3.PutObjectCommand({ ...object, Body: "hello" }));
await step("get", mine.s3, new s3.GetObjectCommand(object));
const fresh = pair(await step("second key", admin.iam, new iam.CreateAccessKeyCommand(named)));
const inactive = { ...named, AccessKeyId: old.accessKeyId, Status: "Inactive" };
await step("deactivate", admin.iam, new iam.UpdateAccessKeyCommand(inactive));
const listed = await step("both listed", admin.iam, new iam.ListAccessKeysCommand(named));
const status = (id) => listed.AccessKeyMetadata.find((key) => key.AccessKeyId === id)?.Status;
const statuses = [status(old.accessKeyId), status(fresh.accessKeyId)];
console.log(JSON.stringify({ step: "statuses", statuses }));
await step("old on S3", mine.s3, new s3.GetObjectCommand(object));
await step("old on STS", mine.sts, new sts.GetCallerIdentityCommand({}));
await step("old on IAM", mine.iam, new iam.GetUserCommand({}));
const now = clients(fresh);
await step("new on S3", now.s3, new s3.GetObjectCommand(object));
await step("denied", now.iam, new iam.ListUsersCommand({}));
const gone = { ...named, AccessKeyId: old.accessKeyId };
await step("delete key", admin.iam, new iam.DeleteAccessKeyCommand(gone));
await step("delete object", now.s3, new s3.DeleteObjectCommand(object));
await step("delete bucket", now.s3, new s3.DeleteBucketCommand({ Bucket: bucket }));
const last = { ...named, AccessKeyId: fresh.accessKeyId };
await step("delete last key", admin.iam, new iam.DeleteAccessKeyCommand(last));
await step("detach", admin.iam, new iam.DetachUserPolicyCommand({ ...named, PolicyArn: arn }));
await step("delete user", admin.iam, new iam.DeleteUserCommand(named));
