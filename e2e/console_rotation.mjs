// Rotations in Chromium, in two walks: one rotation from its beginning to its end, and two that
// cannot start; one that is rolled back, and a policy. Only what a person sees is used.
import { join } from "node:path";

import { good, open, told, walk } from "./harness/browser.mjs";

const world = await open();
const { page, button, seen, gone, visit, go, signIn, pick } = world;
const row = (name) => page.getByRole("row", { name });
const flash = (said) => page.locator("[class*=flash]").getByText(said).first().waitFor();

/** From a user's page to the page that starts a rotation of this key. */
async function rotate(user, key) {
  await go(`/iam/users/${user}?tab=credentials`);
  await pick(page.getByRole("button", { name: `Actions for ${key}` }), "Rotate");
  await page.getByRole("heading", { name: "Rotate access key" }).waitFor();
}

async function confirm() {
  // A word alone is no evidence: somebody must have retrieved the key.
  const retrieve = button("Retrieve new key");
  if (await retrieve.isVisible()) await retrieve.click();
  await button("Confirm delivery").click();
  await seen("Confirm delivery of the new key?");
  await button("Confirm").click();
  await gone("Action required: deliver the new key");
}

async function arrive() {
  await visit("/iam");
  await signIn(told.password);
  await seen("IAM resources");
}

async function begin() {
  await rotate("ann", told.keys.ann);
  await seen("must be unused for 1 day");
  await page.getByText("Incident: the key has leaked").click();
  await seen("Skipped: observation.");
  await page.getByText("Standard", { exact: true }).click();
  await page.getByRole("spinbutton", { name: "Observation period" }).fill("0");
  await seen("Clients that still use the old key will be rejected without warning.");
  await page.getByRole("spinbutton", { name: "Grace period" }).fill("0");
  await seen("Skipped: grace period.");
  await good(world, "start rotation");
  await button("Start rotation").click();
  await seen("Action required: deliver the new key");
}

async function deliver() {
  await button("Retrieve new key").click();
  const event = page.waitForEvent("download");
  await button("Download .csv file").click();
  const file = await event;
  await file.saveAs(join(told.folder, file.suggestedFilename()));
  await visit("/iam/users/ann");
  await seen("Access key rotation in progress");
  await button("View rotation").click();
  await seen("Deliver – waiting");
  await row(told.keys.ann).getByText("Active").waitFor();
  await good(world, "rotation");
  await confirm();
  await button("Skip usage check").click();
  await page.getByLabel("Reason").fill("the job comes back next month");
  await button("Skip usage check").click();
  await seen("Rotation complete");
  await row(told.keys.ann).getByText("Deleted").waitFor();
  await button("History").click();
  // The newest events come first.
  await page.getByRole("button", { name: "Next page" }).last().click();
  await row("planned").waitFor();
}

async function cannotStart() {
  const [first, second] = told.keys.carl;
  await rotate("carl", second);
  await seen("Can't start: this user already has two access keys");
  await seen(`${first}: active, 0 days old, last used never`);
  if (await button("Start rotation").isEnabled()) throw new Error("it could start");
}

async function rollBack() {
  await rotate("bob", told.keys.bob);
  await button("Start rotation").click();
  await seen("Action required: deliver the new key");
  await confirm();
  await seen("Observe – waiting");
  await button("Pause").click();
  await page.getByLabel("Reason").fill("a freeze");
  await button("Pause").click();
  await seen("Rotation paused");
  await button("Resume").click();
  await seen("Observe – waiting");
  await button("Roll back").click();
  if (await button("Roll back").isEnabled()) throw new Error("it needs no reason");
  await page.getByLabel("Reason").fill("the batch job reads the old key");
  await button("Roll back").click();
  await seen("Observe the new key – waiting");
}

async function list() {
  await page.getByRole("link", { name: "Rotations" }).last().click();
  await row("bob").getByText("Rolled back, observing the new key").waitFor();
  await page.getByRole("button", { name: "Filter rotations" }).click();
  await page.getByRole("option", { name: "Ended" }).click();
  await seen("No rotations");
  await page.getByRole("button", { name: "Filter rotations" }).click();
  await page.getByRole("option", { name: "Open" }).click();
  await row("bob").waitFor();
  await good(world, "rotations");
}

async function policy() {
  await go("/rotation-policies");
  await button("Create rotation policy").click();
  await page.getByLabel("Policy name").fill("jobs");
  await page.getByLabel("Path", { exact: true }).fill("/jobs");
  await seen("A path begins and ends with /");
  await page.getByLabel("Path", { exact: true }).fill("/jobs/");
  await row("dora").getByText("Within 90 days").waitFor();
  await good(world, "create rotation policy");
  await button("Create rotation policy").click();
  await flash(/^Rotation policy \w+ created$/);
  await page.getByRole("link", { name: "jobs", exact: true }).click();
  await page.getByText("Users with tags").click();
  await page.getByLabel("Key 1").fill("team");
  await page.getByLabel("Value 1").fill("storage");
  await row("bob").getByText("Rotation in progress").waitFor();
  await button("Save changes").click();
  await flash("Rotation policy jobs saved");
  await row("jobs").getByText("team = storage").waitFor();
  await good(world, "rotation policies");
  await row("jobs").locator("label").first().click();
  await button("Delete").click();
  if (await button("Delete").isEnabled()) throw new Error("its name was not asked for");
  await page.getByLabel("Enter jobs to confirm").fill("jobs");
  await button("Delete").click();
  await flash("Rotation policy jobs deleted");
  await seen("No rotation policies");
}

async function missingPermission() {
  await world.context.clearCookies();
  await visit("/iam/users/ann/keys/rotate");
  await signIn(told.userPassword, "eve");
  await button("Start rotation").click();
  await seen("You don't have permission to perform iam:DeleteAccessKey");
}

/** A policy that cannot be followed for somebody says so. */
async function policyInTrouble() {
  await go("/rotation-policies/create");
  await page.getByLabel("Policy name").fill("evening");
  await page.getByLabel("Path", { exact: true }).fill("/");
  await button("Create rotation policy").click();
  await flash(/^Rotation policy \w+ created$/);
  await row("evening").getByText("two keys").waitFor();
  await good(world, "a rotation policy in trouble");
  await page.getByRole("link", { name: "evening" }).click();
  await page.getByText("two keys").first().waitFor();
}

/** Whoever cannot read the credential report cannot have keys rotated by a policy either. */
async function policyDenied() {
  await go("/rotation-policies/create");
  await page.getByLabel("Policy name").fill("night");
  await button("Create rotation policy").click();
  await seen("You don't have permission to perform iam:GenerateCredentialReport");
}

const WALKS = {
  "to the end": [
    arrive,
    begin,
    deliver,
    cannotStart,
    policyInTrouble,
    missingPermission,
    policyDenied,
  ],
  "back, and by policy": [arrive, rollBack, list, policy],
};

await walk(world, WALKS[told.walk]);
