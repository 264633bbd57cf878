// The story in Chromium: a user with console access, a tag and S3's permissions, two access keys
// with their files, and the first one deactivated. Only what a person sees is used; the program
// that still has the first key is an SDK.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { open, told, walk } from "./harness/browser.mjs";

const { ListBucketsCommand, S3Client } = createRequire(`${process.env.KEYWRIGHT_NODE_MODULES}/`)(
  "@aws-sdk/client-s3",
);
const USER = "RotateKeyUser";
const world = await open();
const { page, button, seen, visit, pick } = world;

/** Presses the button for a file, and keeps the file under its own or the given name. */
async function save(name) {
  const event = page.waitForEvent("download");
  await button("Download .csv file").click();
  const file = await event;
  await file.saveAs(join(told.folder, name ?? file.suggestedFilename()));
  return file.suggestedFilename();
}

/** Leaves the page by the given means, and changes one's mind when asked. */
async function staysWhenAsked(leave, secret) {
  const { pathname } = new URL(page.url());
  await leave();
  await seen("Continue without downloading?");
  await seen(`You won't be able to view the ${secret} again.`);
  await button("Go back").click();
  await world.gone("Continue without downloading?");
  if (new URL(page.url()).pathname !== pathname) throw new Error(page.url());
}

const byLink = () => page.getByRole("link", { name: "Policies", exact: true }).first().click();
const back = () => page.goBack();
async function signOut() {
  await pick(page.getByRole("button", { name: /^Account: / }), "Sign out");
}

/** A reload is asked about by the browser itself. */
async function staysWhenReloaded() {
  const asked = page.waitForEvent("dialog");
  page.evaluate(() => location.reload()).catch(() => undefined);
  const dialog = await asked;
  if (dialog.type() !== "beforeunload") throw new Error(dialog.type());
  await dialog.dismiss();
}

async function signIn() {
  await visit("/");
  await world.signIn(told.password);
  await seen("IAM resources");
  await page.getByRole("button", { name: "Create alias" }).click();
  await seen("Preferred alias");
  await button("Cancel").click();
}

async function createUser() {
  await page.getByRole("link", { name: "IAM users" }).first().click();
  await button("Create user").click();
  await button("Next").click();
  await seen("Enter a user name.");
  await page.getByLabel("User name").fill(USER);
  await page.getByText("Provide user access to the Keywright console").click();
  await button("Next").click();
  await page.getByText("Attach policies directly").click();
  await page.getByPlaceholder("Search").last().fill("AmazonS3FullAccess");
  await page.getByRole("row", { name: /AmazonS3FullAccess/ }).locator("label").first().click();
  await button("Next").click();
  await seen("Permissions summary");
  await seen("AmazonS3FullAccess");
  await button("Add new tag").click();
  await page.getByLabel("Key 1").fill("team");
  await page.getByLabel("Value 1").fill("storage");
  await button("Create user").click();
  await seen("Retrieve password");
  for (const leave of [byLink, back, signOut]) await staysWhenAsked(leave, "console password");
  await staysWhenReloaded();
  await save();
  await button("Return to users list").click();
  await page.getByRole("link", { name: USER }).waitFor();
  await world.gone(`User ${USER} created`);
}

/** The password that a reset displays is as easy to lose. */
async function resetPassword() {
  await visit(`/iam/users/${USER}?tab=credentials`);
  await button("Reset password").click();
  await page.getByRole("dialog").getByRole("button", { name: "Reset password" }).click();
  await seen("This is the only time you can view or download the password.");
  await staysWhenAsked(() => page.keyboard.press("Escape"), "console password");
  await save("reset.csv");
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await world.gone("This is the only time you can view or download the password.");
}

async function readPolicy() {
  await visit("/iam/policies");
  await page.getByPlaceholder("Search").fill("AmazonS3FullAccess");
  await page.getByRole("link", { name: "AmazonS3FullAccess", exact: true }).click();
  await seen("Permissions defined in this policy");
  const text = await page.getByLabel("Policy document").inputValue();
  if (!text.includes('"s3:*"')) throw new Error(text);
  await page.getByRole("tab", { name: "Entities attached" }).click();
  await page.getByRole("link", { name: USER }).waitFor();
}

async function createGroup() {
  await visit("/iam/groups");
  await button("Create group").click();
  await page.getByLabel("User group name").fill("readers");
  await page.getByPlaceholder("Search").last().fill("IAMReadOnlyAccess");
  await page.getByRole("row", { name: /IAMReadOnlyAccess/ }).locator("label").first().click();
  await button("Create user group").click();
  await page.getByRole("link", { name: "readers" }).click();
  await page.getByRole("tab", { name: "Permissions" }).click();
  await page.getByRole("link", { name: "IAMReadOnlyAccess" }).waitFor();
}

async function createKey(name, description) {
  await visit(`/iam/users/${USER}?tab=credentials`);
  await button("Create access key").click();
  await page.getByText("Command Line Interface (CLI)").click();
  await page.getByText("I understand the above recommendation").click();
  await button("Next").click();
  await page.getByLabel("Description tag value").fill(description);
  await button("Create access key").click();
  await seen("Retrieve access keys");
  await seen("Waiting for the first request");
  await seen(`aws configure set endpoint_url ${told.endpoint} --profile=${USER}`);
  await seen(`export AWS_ENDPOINT_URL=${told.endpoint}`);
  await staysWhenAsked(() => button("Done").click(), "secret access key");
  const suggested = await save(name);
  if (suggested !== `${USER}_accessKeys.csv`) throw new Error(suggested);
  await listBuckets(name);
  await seen(/^Used .+ \(s3, us-east-1\)$/);
  await button("Done").click();
  await seen(description);
}

async function deactivate(file) {
  const [, row] = readFileSync(join(told.folder, file), "utf8").split("\n");
  const [id] = row.split(",");
  const actions = page.getByRole("button", { name: `Actions for ${id}` });
  await pick(actions, "Deactivate");
  await seen(`Deactivate ${id}?`);
  await button("Deactivate").click();
  await seen(`Access key ${id} deactivated`);
  await seen(`${id} - Inactive`);
  await seen("Attempts while inactive");
  await listBuckets(file).catch(() => undefined);
  await seen(/^1 rejected, last .+ from 127\.0\.0\.1 \(s3:.+\)$/);
  await pick(actions, "Delete");
  await seen(/^Attempts while inactive: 1 rejected/);
  await seen(/^Last used: .+ \(s3, us-east-1\)$/);
  await button("Cancel").click();
}

/** What a program does that has the key of a file. */
async function listBuckets(file) {
  const [, row] = readFileSync(join(told.folder, file), "utf8").split("\n");
  const [accessKeyId, secretAccessKey] = row.split(",");
  const s3 = new S3Client({
    endpoint: told.endpoint,
    region: "us-east-1",
    maxAttempts: 1,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await s3.send(new ListBucketsCommand({}));
}

const firstKey = () => createKey("key1.csv", "laptop");
const secondKey = () => createKey("key2.csv", "laptop - second key");
const deactivateFirst = () => deactivate("key1.csv");

await walk(world, [
  signIn,
  createUser,
  readPolicy,
  createGroup,
  resetPassword,
  firstKey,
  secondKey,
  deactivateFirst,
]);
