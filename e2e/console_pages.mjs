// The pages of the console one after the other: policies, settings, the simulator, buckets. Each
// main page is held to axe, and to a window of 375 px.
import { accessible, fits, open, told, walk } from "./harness/browser.mjs";

const world = await open({ acceptDownloads: true, permissions: ["clipboard-read", "clipboard-write"] });
const { page, button, seen, gone, visit, signIn } = world;
const USER = "ann";
const POLICY = "photo-readers";
const text = () => page.getByLabel("Policy document", { exact: true });
const flash = (said) => page.locator("[class*=flash]").getByText(said).first().waitFor();
const row = (name) => page.getByRole("row", { name });
const choose = (name) => row(name).locator("label").first().click();

const document = (action) =>
  JSON.stringify(
    {
      Version: "2012-10-17",
      Statement: [
        { Effect: "Allow", Action: action, Resource: "arn:aws:s3:::photos/*" },
        {
          Effect: "Deny",
          Action: "s3:*",
          Resource: "*",
          Condition: { StringNotEquals: { "aws:RequestedRegion": "ap-south-1" } },
        },
      ],
    },
    null,
    2,
  );

async function arrive() {
  await visit("/iam");
  await signIn(told.password);
  await seen("IAM resources");
}

async function createPolicy() {
  await visit("/iam/policies");
  await button("Create policy").click();
  await seen("6,069 of 6,144 characters remaining");
  await text().fill('{\n  "Version": "2012-10-17",\n  "Statement" []\n}');
  await seen("Errors: 1");
  await button("Line 3, column 15").click();
  const at = await text().evaluate((box) => [document.activeElement === box, box.selectionStart]);
  if (at.join() !== "true,44") throw new Error(`the finding leads to ${at}`);
  await button("Next").click();
  await seen("The policy would not be accepted");
  await text().fill(document("s3:*").replace('"arn:aws:s3:::photos/*"', '"*"'));
  await seen("Security: 1");
  await text().fill(document("s3:GetObject"));
  await seen("Nothing was found.");
  await accessible(page, "create policy");
  await button("Next").click();
  await page.getByLabel("Policy name").fill(POLICY);
  await page.getByLabel("Description").fill("Reads photos in Mumbai");
  await button("Add new tag").click();
  await page.getByLabel("Key 1").fill("team");
  await button("Create policy").click();
  await flash(`Policy ${POLICY} created`);
  await seen("Reads photos in Mumbai");
  await seen("Tags (1)");
}

async function editPolicy() {
  for (const version of [2, 3, 4, 5]) {
    await button("Edit").click();
    await text().fill(document(["s3:GetObject", `s3:GetObjectVersion${"?".repeat(version)}`]));
    if (version === 2) await page.getByText("Set this new version as the default").click();
    await button("Save changes").click();
    await flash(`Version v${version} of ${POLICY} created`);
  }
  await button("Edit").click();
  await text().fill(document("s3:ListBucket"));
  if (await button("Save changes").isEnabled()) throw new Error("a sixth version without a choice");
  await page.getByRole("radio", { name: "v3" }).check();
  await button("Save changes").click();
  await flash(`Version v6 of ${POLICY} created`);
  await page.getByRole("tab", { name: "Policy versions" }).click();
  await choose(/Version 2/);
  await button("Set as default").click();
  await seen("Make v2 the default?");
  await button("Set as default").click();
  await flash("Default version set");
  await row(/Version 2.*Default/).waitFor();
  await choose(/Version 6/);
  await button("Delete").click();
  await button("Delete").click();
  await flash("Version deleted");
  await accessible(page, "policy versions");
}

async function attachPolicy() {
  await page.getByRole("tab", { name: "Entities attached" }).click();
  await button("Attach").click();
  await page.getByRole("dialog").getByRole("row", { name: USER }).locator("label").first().click();
  await button("Attach policy").click();
  await flash("Policy attached");
  await page.getByRole("link", { name: USER }).waitFor();
  await accessible(page, "entities of a policy");
}

async function simulate() {
  await visit("/iam/simulator");
  await page.getByRole("button", { name: /Choose a user or group/ }).click();
  await page.getByRole("option", { name: USER }).click();
  await page.getByRole("button", { name: /Choose actions/ }).click();
  await page.getByPlaceholder("Find actions").fill("s3:GetObject");
  await page.getByRole("option", { name: "s3:GetObject", exact: true }).click();
  await page.keyboard.press("Escape");
  await page.getByLabel("Actions of other services").fill("ec2:RunInstances");
  await page.getByLabel("Resource ARNs").fill("arn:aws:s3:::photos/cat.jpg");
  await button("Run simulation").click();
  await row(/s3:GetObject.*Denied by a statement/).waitFor();
  await page.getByLabel("Value of aws:RequestedRegion").fill("ap-south-1");
  await button("Run simulation").click();
  await row(/s3:GetObject.*Allowed/).waitFor();
  await row(/ec2:RunInstances.*Denied: nothing allows it/).waitFor();
  await button(`${POLICY}, line 3`).click();
  const found = await page.getByLabel("Matched statement").inputValue();
  if (JSON.parse(found).Effect !== "Allow") throw new Error(found);
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await accessible(page, "simulator");
  await page.getByText("A policy that you write").click();
  await text().fill(document("s3:GetObject"));
  await page.getByLabel("Value of aws:RequestedRegion").waitFor();
  await button("Run simulation").click();
  await row(/s3:GetObject.*Allowed.*Your policy, line 3/).waitFor();
}

async function inlinePolicies() {
  await visit(`/iam/users/${USER}`);
  await button("Create inline policy").click();
  await page.getByLabel("Policy name").fill("own");
  await text().fill(document("s3:GetObject"));
  await button("Create policy").click();
  await flash("Policy own created");
  await page.getByRole("link", { name: "own", exact: true }).click();
  await text().fill(document("s3:PutObject"));
  await button("Save changes").click();
  await flash("Policy own saved");
  await visit("/iam/groups");
  await button("Create group").click();
  await page.getByLabel("User group name").fill("readers");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("row", { name: USER }).locator("label").first().click();
  await button("Create user group").click();
  await flash("Group created");
  await row(/readers.*1.*Not defined/).waitFor();
  await page.getByRole("link", { name: "readers" }).click();
  await page.getByRole("tab", { name: "Permissions" }).click();
  await button("Create inline policy").click();
  await page.getByLabel("Policy name").fill("shared");
  await text().fill(document("s3:GetObject"));
  await button("Create policy").click();
  await flash("Policy shared created");
  await page.getByRole("tab", { name: "Permissions" }).click();
  await page.getByRole("link", { name: "shared" }).waitFor();
  await accessible(page, "group");
}

async function deletePolicy() {
  await visit("/iam/policies");
  await page.getByPlaceholder("Search").fill(POLICY);
  await page.getByRole("link", { name: POLICY }).click();
  await button("Delete").click();
  await seen("The policy is in use");
  await page.getByLabel(`Type ${POLICY}`).fill(POLICY);
  if (await button("Delete").isEnabled()) throw new Error("a policy in use can be deleted");
  await page.getByRole("dialog").getByRole("link", { name: "1 entity" }).click();
  await choose(/ann/);
  await button("Detach").click();
  await button("Detach").click();
  await flash("Policy detached");
  await button("Delete").click();
  await seen(/its 4 versions/);
  await page.getByLabel(`Type ${POLICY}`).fill(POLICY);
  await button("Delete").click();
  await flash("Policy deleted");
}

async function accountSettings() {
  await visit("/iam/account");
  await seen("IAM default policy");
  await button("Edit").click();
  await page.getByText("Custom", { exact: true }).click();
  await page.getByLabel("Password minimum length").fill("3");
  await seen("A number from 6 to 128");
  await page.getByLabel("Password minimum length").fill("24");
  await page.getByText("Turn on password expiration").click();
  await page.getByLabel("Expire passwords in days").fill("60");
  await page.getByText("Prevent password reuse").click();
  await accessible(page, "password policy");
  await button("Save changes").click();
  await flash("Password policy saved");
  await seen("At least 24 characters");
  await seen("Expires after 60 days");
  await seen("The last 5 passwords may not come back");
  await button("Create alias").click();
  await page.getByLabel("Preferred alias").fill("Photo--shop");
  await page.getByRole("dialog").getByText("3 to 63 characters").first().waitFor();
  await page.getByLabel("Preferred alias").fill("photo-shop");
  await button("Save changes").click();
  await flash("Alias saved");
  await seen("?account=photo-shop");
  await button("Delete").click();
  await page.getByLabel("Type delete").fill("delete");
  await button("Delete custom").click();
  await flash("Password policy deleted");
  await seen("IAM default policy");
}

async function deleteUser() {
  await visit(`/iam/users/${USER}`);
  await button("Delete").click();
  await seen("Membership of readers");
  await seen("Inline policies: own");
  await seen(/Access key \S+, active, last used never/);
  await page.getByLabel(`Type ${USER}`).fill(USER);
  await button("Delete user").click();
  await flash("User deleted");
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
  const file = { name: "a cat+dog.txt", mimeType: "text/plain", buffer: Buffer.from("meow") };
  await page.getByLabel("Files to upload").setInputFiles(file);
  await flash("Uploaded");
  await choose(/a cat\+dog/);
  const saved = page.waitForEvent("download");
  await button("Download").click();
  if ((await saved).suggestedFilename() !== file.name) throw new Error("another file name");
  await button("Presigned URL").click();
  await page.getByRole("menuitem", { name: "Share for an hour" }).click();
  await button("Copy Presigned URL").click();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  if ((await (await fetch(link)).text()) !== "meow") throw new Error(`nothing at ${link}`);
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await accessible(page, "objects");
}

async function bucketPolicy() {
  const box = () => page.getByLabel("Bucket policy", { exact: true });
  await visit(`/s3/buckets/${told.bucket}?tab=permissions`);
  await button("Add a statement").click();
  const mine = (await box().inputValue())
    .replace('"Principal": {}', '"Principal": "*"')
    .replace('"Action": []', '"Action": "s3:GetObject"');
  await box().fill(mine);
  await seen("Security: 1");
  await button("Save changes").click();
  await flash("Bucket policy saved");
  await box().fill(mine.replace(told.bucket, "another-bucket"));
  await seen("Errors: 1");
  await accessible(page, "bucket policy");
  await button("Delete").click();
  await page.getByLabel("Type delete").fill("delete");
  await button("Delete").click();
  await flash("Bucket policy deleted");
}

async function emptyAndDelete() {
  await visit("/s3");
  await choose(told.bucket);
  await button("Empty").click();
  await page.getByLabel("Type permanently delete").fill("permanently delete");
  await button("Empty").click();
  await flash("Bucket emptied");
  await choose(told.bucket);
  await button("Delete").click();
  await page.getByLabel(`Type ${told.bucket}`).fill(told.bucket);
  await button("Delete bucket").click();
  await flash("Bucket deleted");
  await seen("No buckets");
}

const MAIN = [
  ["/iam", "IAM resources"],
  ["/iam/users", "Create user"],
  ["/iam/users/create", "User details"],
  ["/iam/users/bob?tab=permissions", "Permissions policies"],
  ["/iam/users/bob?tab=credentials", "Console sign-in"],
  ["/iam/groups", "IAM user groups"],
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
    await page.setViewportSize({ width: 1280, height: 900 });
    await visit(path);
    await seen(there);
    await gone("Loading");
    await accessible(page, path);
    await page.setViewportSize({ width: 375, height: 720 });
    await fits(page, path);
  }
}

await walk(world, [
  arrive,
  createPolicy,
  editPolicy,
  attachPolicy,
  simulate,
  inlinePolicies,
  deletePolicy,
  accountSettings,
  deleteUser,
  buckets,
  bucketPolicy,
  emptyAndDelete,
  everyMainPage,
]);
