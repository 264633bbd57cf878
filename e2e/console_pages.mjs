// The other pages of the console in Chromium, in two walks: account settings, a user deleted and
// buckets; and each main page held to axe, in a wide window and in one of 375 px.
import { good, open, told, walk } from "./harness/browser.mjs";

const world = await open({ permissions: ["clipboard-read", "clipboard-write"] });
const { page, button, seen, gone, visit, go, pick } = world;
const USER = "ann";
const flash = (said) => page.locator("[class*=flash]").getByText(said).first().waitFor();
const choose = (name) => page.getByRole("row", { name }).locator("label").first().click();

async function arrive() {
  await visit("/iam");
  await world.signIn(told.password);
  await seen("IAM resources");
  await seen(`export AWS_ENDPOINT_URL=${told.endpoint}`);
}

/** An address that is only the beginning of a page's leads to the page above. */
async function beginnings() {
  await visit("/s3/buckets");
  await seen("No buckets");
  if (!page.url().endsWith("/console/s3")) throw new Error(page.url());
  const icon = await page.evaluate(async () => {
    const { href } = document.querySelector("link[rel=icon]");
    return { href, status: (await fetch(href)).status };
  });
  if (icon.status !== 200) throw new Error(`${icon.href}: ${icon.status}`);
}

/** Root changes its own password, and back: the test signs in with it again. */
async function ownPassword() {
  const another = `${told.password}-2`;
  await visit("/security-credentials");
  for (const [from, to] of [[told.password, another], [another, told.password]]) {
    await button("Change password").click();
    await page.getByLabel("Current password").fill(from);
    await page.getByLabel("New password", { exact: true }).fill(to);
    await page.getByLabel("Retype new password").fill(`${to}x`);
    await seen("Passwords do not match.");
    await page.getByLabel("Retype new password").fill(to);
    await page.getByRole("dialog").getByRole("button", { name: "Change password" }).click();
    await world.gone("Retype new password");
  }
  await flash("Password changed");
  await page.getByRole("link", { name: "IAM users" }).first().click();
  await gone("Password changed");
}

async function accountSettings() {
  await visit("/iam/account");
  await seen("IAM default password policy");
  await button("Edit").click();
  await page.getByText("Custom", { exact: true }).click();
  await page.getByLabel("Password minimum length").fill("3");
  await seen("Enter a number from 6 to 128.");
  await page.getByLabel("Password minimum length").fill("24");
  await page.getByText("Turn on password expiration").click();
  await page.getByLabel("Expire passwords in days").fill("60");
  await page.getByText("Prevent password reuse").click();
  await good(world, "password policy");
  await button("Save changes").click();
  await flash("Password policy saved");
  await seen("Minimum length: 24 characters");
  await seen("Password expires after 60 days");
  await seen("Remember last 5 passwords and prevent reuse");
  await button("Create alias").click();
  await page.getByLabel("Preferred alias").fill("Photo--shop");
  await page.getByRole("dialog").getByText("3 to 63 characters").first().waitFor();
  await page.getByLabel("Preferred alias").fill("photo-shop");
  await button("Save changes").click();
  await flash("Alias saved");
  await seen("?account=photo-shop");
  await button("Delete").click();
  await page.getByLabel("Enter delete to confirm").fill("delete");
  await button("Delete custom").click();
  await flash("Password policy deleted");
  await seen("IAM default password policy");
}

async function deleteUser() {
  await visit(`/iam/users/${USER}`);
  await button("Delete").click();
  await seen("Group memberships: readers");
  await seen("Inline policies: own");
  await seen(/Access key \S+: active, last used never/);
  await page.getByLabel(`Enter ${USER} to confirm`).fill(USER);
  await button("Delete user").click();
  await flash(`User ${USER} deleted`);
}

async function buckets() {
  await visit("/s3");
  await seen("No buckets");
  await button("Create bucket").click();
  await page.getByLabel("Bucket name").fill(told.bucket);
  await button("Create bucket").click();
  await page.getByRole("link", { name: told.bucket }).click();
  await seen("No objects");
  await button("Create folder").click();
  await page.getByLabel("Folder name").fill("2026");
  await button("Create folder").click();
  await page.getByRole("link", { name: "2026/" }).click();
  await seen(`${told.bucket} / 2026/`);
  const file = { name: "a cat+dog.txt", mimeType: "text/plain", buffer: Buffer.from("meow") };
  await page.getByLabel("Files to upload").setInputFiles(file);
  await flash(`${file.name} uploaded`);
  await choose(/a cat\+dog/);
  const saved = page.waitForEvent("download");
  await button("Download").click();
  if ((await saved).suggestedFilename() !== file.name) throw new Error("another file name");
  await pick(button("Presigned URL"), "Expires in 1 hour");
  await button("Copy Presigned URL").click();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  if (!link.startsWith(`${told.endpoint}/`)) throw new Error(`${link} is not the API's`);
  if ((await (await fetch(link)).text()) !== "meow") throw new Error(`nothing at ${link}`);
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
}

async function bucketPolicy() {
  const box = () => page.getByLabel("Bucket policy", { exact: true });
  await visit(`/s3/buckets/${told.bucket}?tab=permissions`);
  await button("Add statement").click();
  const mine = (await box().inputValue())
    .replace('"Principal": {}', '"Principal": "*"')
    .replace('"Action": []', '"Action": "s3:GetObject"');
  await box().fill(mine);
  await seen("Security: 1");
  await seen("Not public");
  await button("Save changes").click();
  await seen("Block public access prevents this policy");
  await letPublicPoliciesIn();
  await button("Save changes").click();
  await flash("Bucket policy saved");
  await seen("Only authorized users of this account");
  await box().fill(mine.replace(told.bucket, "another-bucket"));
  await seen("Errors: 1");
  await good(world, "bucket policy");
  await button("Delete").click();
  await page.getByLabel("Enter delete to confirm").fill("delete");
  await button("Delete").click();
  await flash("Bucket policy deleted");
}

async function letPublicPoliciesIn() {
  await button("Edit settings").click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("granted through new public bucket policies").click();
  await seen("anyone can then read them without credentials");
  await good(world, "block public access");
  await page.getByLabel("Enter confirm to confirm").fill("confirm");
  await dialog.getByRole("button", { name: "Save changes" }).click();
  await flash("Block public access saved");
}

async function emptyAndDelete() {
  await visit("/s3");
  await choose(told.bucket);
  await button("Empty").click();
  await page.getByLabel("Enter permanently delete to confirm").fill("permanently delete");
  await button("Empty").click();
  await flash(`Bucket ${told.bucket} emptied`);
  await choose(told.bucket);
  await button("Delete").click();
  await page.getByLabel(`Enter ${told.bucket} to confirm`).fill(told.bucket);
  await button("Delete bucket").click();
  await flash(`Bucket ${told.bucket} deleted`);
  await seen("No buckets");
}

const MAIN = [
  ["/iam", "IAM resources"],
  ["/iam/users", "Create user"],
  ["/iam/users/create", "User details"],
  ["/iam/users/bob?tab=permissions", "Permissions policies"],
  ["/iam/users/bob?tab=credentials", "Console sign-in"],
  ["/iam/users/bob/keys/create", "Use case"],
  ["/iam/users/bob/mfa/assign", "Device name"],
  ["/security-credentials", "Multi-factor authentication"],
  ["/iam/keys", "while inactive"],
  ["/iam/groups", "Create group"],
  ["/iam/groups/readers", "Users in this group"],
  ["/iam/roles", "No roles"],
  ["/iam/roles/create", "Trusted entity type"],
  ["/iam/providers", "No identity providers"],
  ["/iam/providers/create", "Provider URL"],
  ["/iam/policies", "Create policy"],
  ["/iam/policies/create", "Policy editor"],
  ["/iam/policy?arn=arn:aws:iam::aws:policy/AmazonS3FullAccess", "Policy details"],
  ["/iam/account", "Password policy"],
  ["/iam/report", "Download credentials report"],
  ["/iam/simulator", "Run simulation"],
  ["/denied", "Denied requests"],
  ["/s3", "General purpose buckets"],
  ["/s3/create", "Bucket name"],
];

async function everyMainPage() {
  for (const [path, there] of MAIN) {
    await go(path);
    await seen(there);
    await gone("Loading");
    await good(world, path);
  }
}

const WALKS = {
  "settings and buckets": [
    arrive,
    beginnings,
    ownPassword,
    accountSettings,
    deleteUser,
    buckets,
    bucketPolicy,
    emptyAndDelete,
  ],
  "every page": [arrive, everyMainPage],
};

await walk(world, WALKS[told.walk]);
