// The story in Chromium: a user with console access, a tag and S3's permissions, two access keys
// with their files, and the first one deactivated. Only what a person sees is used.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { open, told, walk } from "./harness/browser.mjs";

const USER = "RotateKeyUser";
const world = await open();
const { page, button, seen, visit } = world;

/** Presses the button for a file, and keeps the file under its own or the given name. */
async function save(name) {
  const event = page.waitForEvent("download");
  await button("Download .csv file").click();
  const file = await event;
  await file.saveAs(join(told.folder, name ?? file.suggestedFilename()));
  return file.suggestedFilename();
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
  await save();
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
  const suggested = await save(name);
  if (suggested !== `${USER}_accessKeys.csv`) throw new Error(suggested);
  await button("Done").click();
  await seen(description);
}

async function deactivate(file) {
  const [, row] = readFileSync(join(told.folder, file), "utf8").split("\n");
  const [id] = row.split(",");
  await page.getByRole("button", { name: `Actions for ${id}` }).click();
  await page.getByRole("menuitem", { name: "Deactivate" }).click();
  await seen(`Deactivate ${id}?`);
  await button("Deactivate").click();
  await seen(`Access key ${id} deactivated`);
  await seen(`${id} - Inactive`);
}

const firstKey = () => createKey("key1.csv", "laptop");
const secondKey = () => createKey("key2.csv", "laptop - second key");
const deactivateFirst = () => deactivate("key1.csv");

await walk(world, [
  signIn,
  createUser,
  readPolicy,
  createGroup,
  firstKey,
  secondKey,
  deactivateFirst,
]);
