// A role profile with the JavaScript SDK's default chain: who it then is, read by test_roles.py.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { endpoint, config, credentials, profile } = JSON.parse(readFileSync(0, "utf8"));
process.env.AWS_ENDPOINT_URL = endpoint;
process.env.AWS_CONFIG_FILE = config;
process.env.AWS_SHARED_CREDENTIALS_FILE = credentials;
process.env.AWS_PROFILE = profile;

const require = createRequire(`${process.env.KEYWRIGHT_NODE_MODULES}/`);
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");

const client = new STSClient({ region: "us-east-1", maxAttempts: 1 });
const { Arn: arn } = await client.send(new GetCallerIdentityCommand({}));
const { expiration } = await client.config.credentials();
console.log(JSON.stringify({ arn, expiration }));
