// Policies in Chromium: written, edited, attached, simulated and deleted; inline ones of users and
// groups with the same editor.
import { good, open, told, walk } from "./harness/browser.mjs";

const world = await open();
const { page, button, seen, visit } = world;
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
  await world.signIn(told.password);
  await seen("IAM resources");
}

async function createPolicy() {
  await visit("/iam/policies");
  await button("Create policy").click();
  await seen("6,042 of 6,144 characters remaining");
  await text().fill('{\n  "Version": "2012-10-17",\n  "Statement" []\n}');
  await seen("Errors: 1");
  await button("Line 3, column 15").click();
  const at = await text().evaluate((box) => [document.activeElement === box, box.selectionStart]);
  if (at.join() !== "true,43") throw new Error(`the finding leads to ${at}`);
  await button("Next").click();
  await seen("Invalid policy");
  await text().fill(document("*").replace('"arn:aws:s3:::photos/*"', '"*"'));
  await seen("Security: 1");
  await text().fill(document("s3:GetObject"));
  await seen("No findings");
  await good(world, "create policy");
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
  await button("Edit").click();
  await text().fill(document("s3:GetObject*"));
  await page.getByText("Set this new version as the default").click();
  await button("Save changes").click();
  await flash(`Version 2 of ${POLICY} created`);
  await row(/Version 1.*Default/).waitFor();
  await choose(/Version 2/);
  await button("Set as default").click();
  await seen("Set Version 2 as default?");
  await button("Set as default").click();
  await flash("Default version set");
  await row(/Version 2.*Default/).waitFor();
  await good(world, "policy versions");
}

/** `told.full` has five versions, of which the last one is the default. */
async function sixthVersion() {
  await visit(`/iam/policy?arn=arn:aws:iam::${told.account}:policy/${told.full}`);
  await button("Edit").click();
  await text().fill(document("s3:ListBucket"));
  if (await button("Save changes").isEnabled()) throw new Error("a sixth version without a choice");
  await page.getByRole("radio", { name: "Version 3" }).check();
  await button("Save changes").click();
  await flash(`Version 6 of ${told.full} created`);
  await page.getByRole("tab", { name: "Policy versions" }).click();
  await row(/Version 6.*Default/).waitFor();
  await choose(/Version 1/);
  await button("Delete").click();
  await button("Delete").click();
  await flash("Version deleted");
}

async function attachPolicy() {
  await visit(`/iam/policy?arn=arn:aws:iam::${told.account}:policy/${POLICY}&tab=entities`);
  await button("Attach").click();
  await page.getByRole("dialog").getByRole("row", { name: USER }).locator("label").first().click();
  await button("Attach policy").click();
  await flash("Policy attached");
  await page.getByRole("link", { name: USER }).waitFor();
  await good(world, "entities of a policy");
}

async function simulate() {
  await visit("/iam/simulator");
  await page.getByRole("button", { name: /Choose a user/ }).click();
  await page.getByRole("option", { name: USER }).click();
  await page.getByRole("button", { name: /Choose actions/ }).click();
  await page.getByPlaceholder("Find actions").fill("s3:GetObject");
  await page.getByRole("option", { name: "s3:GetObject", exact: true }).click();
  await page.keyboard.press("Escape");
  await page.getByLabel("Actions of other services").fill("ec2:RunInstances");
  await page.getByLabel("Resource ARNs").fill("arn:aws:s3:::photos/cat.jpg");
  await button("Run simulation").click();
  await row(/s3:GetObject.*Denied \(explicit\)/).waitFor();
  await page.getByLabel("Value of aws:RequestedRegion").fill("ap-south-1");
  await button("Run simulation").click();
  await row(/s3:GetObject.*Allowed/).waitFor();
  await row(/ec2:RunInstances.*Denied \(implicit\): no statement allows it/).waitFor();
  await button(`${POLICY}, line 3`).click();
  const found = await page.getByLabel("Matched statement").inputValue();
  if (JSON.parse(found).Effect !== "Allow") throw new Error(found);
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await good(world, "simulator");
  await page.getByText("New policy", { exact: true }).click();
  await text().fill(document("s3:GetObject"));
  await page.getByLabel("Value of aws:RequestedRegion").waitFor();
  await button("Run simulation").click();
  await row(/s3:GetObject.*Allowed.*New policy, line 3/).waitFor();
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
  await good(world, "group");
}

async function deletePolicy() {
  await visit("/iam/policies");
  await page.getByPlaceholder("Search").fill(POLICY);
  await page.getByRole("link", { name: POLICY }).click();
  await button("Delete").click();
  await seen("The policy is in use");
  await page.getByLabel(`Enter ${POLICY} to confirm`).fill(POLICY);
  if (await button("Delete").isEnabled()) throw new Error("a policy in use can be deleted");
  await page.getByRole("dialog").getByRole("link", { name: "1 entity" }).click();
  await choose(/ann/);
  await button("Detach").click();
  await button("Detach").click();
  await flash("Policy detached");
  await button("Delete").click();
  await seen(/its 2 versions/);
  await page.getByLabel(`Enter ${POLICY} to confirm`).fill(POLICY);
  await button("Delete").click();
  await flash(`Policy ${POLICY} deleted`);
}

await walk(world, [
  arrive,
  createPolicy,
  editPolicy,
  sixthVersion,
  attachPolicy,
  simulate,
  inlinePolicies,
  deletePolicy,
]);
