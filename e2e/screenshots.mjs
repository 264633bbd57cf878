// Pictures of the console's main pages: light, dark and narrow, and what is shown while there is
// nothing and while something loads. They are for looking at; nothing is compared.
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { open, told } from "./harness/browser.mjs";

const KINDS = [
  ["light", { width: 1280, height: 900 }],
  ["dark", { width: 1280, height: 900 }],
  ["narrow", { width: 375, height: 720 }],
];
const USER = "/iam/users/RotateKeyUser";
const POLICY = `/iam/policy?arn=arn:aws:iam::${told.account}:policy/photo-readers`;

/** Pages by the name of their picture: where, what is there when it is whole, what is done first. */
const FILLED = {
  dashboard: ["/iam", "IAM resources"],
  users: ["/iam/users", "RotateKeyUser"],
  "user-create": ["/iam/users/create", "Up to 64 characters", ["Provide user access"]],
  "user-permissions": [`${USER}?tab=permissions`, "photo-readers"],
  "user-groups": [`${USER}?tab=groups`, "readers"],
  "user-tags": [`${USER}?tab=tags`, "storage"],
  "user-credentials": [`${USER}?tab=credentials`, "Last used service"],
  "user-delete": [USER, "photo-readers", ["Delete"]],
  "key-create": [`${USER}/keys/create`, "Use case", ["Command Line Interface (CLI)"]],
  "key-rotate": [`${USER}/keys/rotate`, "Key to replace"],
  "rotation-policy-create": ["/rotation-policies/create", "Whom it would act for"],
  groups: ["/iam/groups", "Defined"],
  "group-create": ["/iam/groups", "Defined", ["Create group"]],
  group: ["/iam/groups/readers", "RotateKeyUser"],
  policies: ["/iam/policies", "AWS managed"],
  "policy-create": ["/iam/policies/create", "Nothing was found.", { "Policy document": told.draft }],
  policy: [POLICY, "Permissions defined in this policy"],
  "policy-entities": [`${POLICY}&tab=entities`, "Permissions policy"],
  "policy-versions": [`${POLICY}&tab=versions`, "Default"],
  "policy-delete": [POLICY, "Permissions defined in this policy", ["Delete"]],
  "policy-edit": [POLICY.replace("policy?", "policy/edit?"), "Version to delete"],
  "policy-inline": [`${USER}/inline`, "characters remaining"],
  account: ["/iam/account", "Password policy"],
  "account-edit": ["/iam/account", "Password policy", ["Edit", "Custom"]],
  simulator: ["/iam/simulator", "Run simulation"],
  report: ["/iam/report", "Download credentials report"],
  denied: ["/denied", "iam:ListUsers"],
  buckets: ["/s3", "photos"],
  "bucket-create": ["/s3/create", "Bucket name"],
  bucket: ["/s3/buckets/photos-of-2026", "cat.txt"],
  "bucket-policy": ["/s3/buckets/photos-of-2026?tab=permissions", "Security: 1"],
};
const EMPTY = {
  "dashboard-empty": ["/iam", "IAM resources"],
  "users-empty": ["/iam/users", "No resources to display"],
  "groups-empty": ["/iam/groups", "No resources to display"],
  "rotations-empty": ["/rotations", "No rotations"],
  "rotation-policies-empty": ["/rotation-policies", "No rotation policies"],
  "denied-empty": ["/denied", "Nothing was denied"],
  "buckets-empty": ["/s3", "No buckets"],
};
const LOADING = { "users-loading": "/iam/users", "dashboard-loading": "/iam", "user-loading": USER };

const first = await open();
await first.visit("/iam");
await picture(first.page, "sign-in", "light");
await first.signIn(told.password);
await first.seen("IAM resources");
const storageState = await first.context.storageState();
await first.browser.close();

for (const [kind, viewport] of KINDS) {
  mkdirSync(join(told.folder, kind), { recursive: true });
  const colorScheme = kind === "dark" ? "dark" : "light";
  const world = await open({ viewport, colorScheme, storageState });
  const pages = told.state === "empty" ? EMPTY : FILLED;
  for (const [name, [path, there, deeds = []]] of Object.entries(pages)) {
    await world.visit(path);
    // A page that is not as expected is worth a picture, too.
    await act(world, there, deeds).catch((error) => complain(`${kind}/${name}: ${error.message}`));
    await picture(world.page, name, kind);
  }
  if (told.state !== "empty") await whileLoading(world, kind);
  for (const problem of world.wrong) complain(`${kind}: ${problem}`);
  await world.browser.close();
}

function complain(what) {
  console.error(what);
  process.exitCode = 1;
}

/** Fills what is named, waits for the page to be whole, presses what is listed. */
async function act({ page, seen, gone }, there, deeds) {
  if (!Array.isArray(deeds)) {
    for (const [label, value] of Object.entries(deeds)) await page.getByLabel(label).fill(value);
  }
  await seen(there);
  await gone("Loading");
  if (!Array.isArray(deeds)) return;
  for (const deed of deeds) await page.getByText(deed, { exact: deed.length < 10 }).last().click();
  await gone("Loading");
}

/** Pages whose questions are not answered until the picture is taken. */
async function whileLoading({ page, visit }, kind) {
  for (const [name, path] of Object.entries(LOADING)) {
    await page.route(`${told.endpoint}/`, () => undefined);
    await visit(path);
    await page.waitForRequest(`${told.endpoint}/`).catch(() => undefined);
    await page.locator("main").waitFor();
    await picture(page, name, kind);
    await page.goto("about:blank");
    await page.unrouteAll({ behavior: "ignoreErrors" });
  }
}

async function picture(page, name, kind) {
  mkdirSync(join(told.folder, kind), { recursive: true });
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({
    path: join(told.folder, kind, `${name}.png`),
    fullPage: true,
    animations: "disabled",
  });
}
