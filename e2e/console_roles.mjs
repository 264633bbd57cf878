// Roles in Chromium: the wizard for each trusted entity type, a role's page with its trust policy,
// its sessions revoked, roles deleted, the service's own among them; and identity providers.
import { good, open, told, walk } from "./harness/browser.mjs";

const world = await open();
const { page, button, seen, gone, visit, pick } = world;
const flash = (said) => page.locator("[class*=flash]").getByText(said).first().waitFor();
const dialog = () => page.getByRole("dialog");
const choose = (name) => page.getByRole("row", { name }).locator("label").first().click();
const field = (label) => page.getByLabel(label, { exact: true });
const text = async (label) => JSON.parse(await field(label).inputValue());

/** Picks an option of a list of choices. */
async function select(box, option) {
  await page.getByRole("button", { name: box }).click();
  await page.getByRole("option", { name: option }).first().click();
}

function same(found, wanted) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${a} is not ${b}`);
}

async function arrive() {
  await visit("/iam/roles");
  await world.signIn(told.password);
  await seen("AWS Service: autoscaling (Service-Linked Role)");
  await good(world, "/iam/roles");
}

async function addProviders() {
  await visit("/iam/providers");
  await seen("No identity providers");
  await button("Add provider").click();
  await page.getByLabel("Provider URL").waitFor();
  await button("Add provider").click();
  await seen("Enter a URL that begins with https://");
  await good(world, "/iam/providers/create");
  await page.getByLabel("Provider URL").fill("https://gitlab.example.com");
  await page.getByLabel("Audience").fill("https://keywright.example.com");
  await button("Add provider").click();
  await flash("Identity provider gitlab.example.com added");
  await button("Add audience").click();
  await dialog().getByLabel("Audience").fill("sts.amazonaws.com");
  await dialog().getByRole("button", { name: "Add audience" }).click();
  await flash("Audience added");
  await seen("Audiences (2)");
  await choose("https://keywright.example.com");
  await button("Remove").click();
  await dialog().getByRole("button", { name: "Remove" }).click();
  await flash("Audience removed");
  await page.getByRole("tab", { name: /Endpoint verification/ }).click();
  await button("Add thumbprint").click();
  await dialog().getByLabel("Thumbprint").fill("99");
  await seen("A thumbprint has 40 hexadecimal digits");
  await dialog().getByLabel("Thumbprint").fill("AB:".repeat(19) + "AB");
  await dialog().getByRole("button", { name: "Add thumbprint" }).click();
  await flash("Thumbprint added");
  await seen("ab".repeat(20));
  await good(world, "an OpenID Connect provider");
}

async function addSaml() {
  await visit("/iam/providers/create");
  await page.getByText("SAML", { exact: true }).click();
  await page.getByLabel("Provider name").fill("Corp");
  const file = { name: "metadata.xml", mimeType: "text/xml", buffer: Buffer.from(told.metadata) };
  await page.locator("input[type=file]").setInputFiles(file);
  await good(world, "a SAML provider to be added");
  await button("Add provider").click();
  await flash("Identity provider Corp added");
  await seen("Download metadata");
  if ((await field("Metadata document").inputValue()) !== told.metadata)
    throw new Error("another metadata document");
  const saved = page.waitForEvent("download");
  await button("Download metadata").click();
  if ((await saved).suggestedFilename() !== "Corp-metadata.xml") throw new Error("another name");
  await button("Replace metadata").click();
  await dialog().locator("input[type=file]").setInputFiles(file);
  await dialog().getByRole("button", { name: "Replace metadata" }).click();
  await flash("Metadata replaced");
  await page.getByRole("tab", { name: /Tags/ }).click();
  await button("Manage tags").click();
  await button("Add new tag").click();
  await page.getByLabel("Key 1").fill("team");
  await button("Save changes").click();
  await flash("Tags saved");
  await good(world, "a SAML provider");
}

/** A role for workflows, begun on the page of their issuer. */
async function roleOfProvider() {
  await visit(`/iam/provider?arn=arn:aws:iam::${told.account}:oidc-provider/gitlab.example.com`);
  await button("Assign role").click();
  await good(world, "assigning a role");
  await dialog().getByRole("button", { name: "Next" }).click();
  await seen("Without a condition on the claim");
  await button("Next").click();
  await seen("Choose an audience.");
  await select("Choose audience", "sts.amazonaws.com");
  await button("Add condition").click();
  await page.getByLabel("Value 1").fill("project_path:shop/app:ref_type:branch:ref:main");
  await gone("Without a condition on the claim");
  await good(world, "a role for tokens");
  await button("Next").click();
  await seen("Add permissions");
  await button("Next").click();
  await page.getByLabel("Role name").fill("deploy");
  const [statement] = (await text("Trust policy")).Statement;
  same(statement.Condition.StringEquals, {
    "gitlab.example.com:aud": "sts.amazonaws.com",
    "gitlab.example.com:sub": "project_path:shop/app:ref_type:branch:ref:main",
  });
  await button("Create role").click();
  await flash("Role deploy created");
}

/** A role for EC2 with permissions, a boundary and tags, and its instance profile. */
async function roleOfService() {
  await visit("/iam/roles");
  await button("Create role").click();
  await seen("Trusted entity type");
  await button("Next").click();
  await seen("Choose a service.");
  await select("Service or use case", "EC2");
  await good(world, "trusted entity type");
  await button("Next").click();
  await page.getByLabel("Search Permissions policies").fill("AmazonS3ReadOnlyAccess");
  await choose("AmazonS3ReadOnlyAccess");
  await page.getByText("Set permissions boundary – optional").click();
  await page.getByText("Use a permissions boundary").click();
  await page.getByLabel("Search Boundary").fill("PowerUserAccess");
  await choose("PowerUserAccess");
  await good(world, "permissions of a role");
  await button("Next").click();
  await button("Create role").click();
  await seen("Enter a role name.");
  await page.getByLabel("Role name").fill("web-servers");
  await page.getByLabel("Description – optional").fill("Reads photos.");
  await button("Add new tag").click();
  await page.getByLabel("Key 1").fill("team");
  await page.getByLabel("Value 1").fill("shop");
  await good(world, "review of a role");
  await button("Create role").click();
  await flash("Role web-servers created");
  // The button was at the end of a long page.
  await page.waitForFunction(() => window.scrollY === 0);
  await seen(`arn:aws:iam::${told.account}:instance-profile/web-servers`);
  await seen("AmazonS3ReadOnlyAccess");
  await seen("Permissions boundary (set)");
  await seen("Tags (1)");
  await good(world, "a role");
}

async function rolesOfOthers() {
  await visit("/iam/roles/create");
  await page.getByText("AWS account", { exact: true }).click();
  await page.getByText("Another AWS account").click();
  await page.getByText("Require external ID").click();
  await page.getByText("Require MFA").click();
  await button("Next").click();
  await seen("Enter 2 to 1,224 characters");
  await page.getByRole("textbox", { name: "Account ID" }).fill("444455556666");
  await page.getByLabel("External ID", { exact: true }).fill("shop-1");
  await good(world, "a role for another account");
  await finish("partner");
  await page.getByRole("tab", { name: "Trust relationships" }).click();
  await seen("Account: 444455556666");
  await visit("/iam/roles/create");
  await page.getByText("SAML 2.0 federation").click();
  await select("Choose provider", "Corp");
  await good(world, "a role for SAML");
  await finish("staff");
  await visit("/iam/roles/create");
  await page.getByText("Custom trust policy").first().click();
  await field("Policy document").fill('{"Version": "2012-10-17"}');
  await button("Next").click();
  await seen("Invalid policy");
  await field("Policy document").fill(told.trust);
  await seen("No findings");
  await good(world, "a custom trust policy");
  await finish("developers");
}

/** The rest of the wizard, without permissions. */
async function finish(name) {
  await button("Next").click();
  await page.getByText("Set permissions boundary").waitFor();
  await button("Next").click();
  await page.getByLabel("Role name").fill(name);
  await button("Create role").click();
  await flash(`Role ${name} created`);
}

async function trust() {
  await visit("/iam/roles/developers?tab=trust");
  await button("Edit trust policy").click();
  const before = await field("Policy document").inputValue();
  await field("Policy document").fill(before.replace("sts:AssumeRole", "sts:AssumeRoll"));
  await seen(/Errors: 1|Warnings: 1/);
  await good(world, "a trust policy");
  await field("Policy document").fill(before.replace("sts:AssumeRole", "s3:GetObject"));
  await button("Update policy").click();
  await seen(/Invalid policy|MalformedPolicyDocument/);
  await field("Policy document").fill(before.replace('"Allow"', '"Deny"'));
  await button("Update policy").click();
  await flash("Trust policy saved");
  await page.waitForFunction(() => {
    const field = document.querySelector("textarea[aria-label='Trust policy']");
    return field?.value.includes('"Deny"');
  });
}

async function settings() {
  await visit("/iam/roles/web-servers");
  await button("Edit").click();
  await page.getByLabel("Description").fill("Reads all photos.");
  await select("Maximum session duration", "4 hours");
  await good(world, "editing a role");
  await button("Save changes").click();
  await flash("Role web-servers saved");
  await seen("Reads all photos.");
  await seen("4 hours");
  await button("Create inline policy").click();
  await page.getByLabel("Policy name").fill("own");
  await field("Policy document").fill(told.policy);
  await button("Create policy").click();
  await flash("Policy own created");
  await seen("Customer inline");
}

async function revoke() {
  await visit("/iam/roles/web-servers?tab=sessions");
  await seen("No sessions have been revoked.");
  await button("Revoke active sessions").click();
  const revoking = dialog().getByRole("button", { name: "Revoke active sessions" });
  if (!(await revoking.isDisabled())) throw new Error("not acknowledged");
  await page.getByText("I acknowledge that I am revoking").click();
  await good(world, "revoking sessions");
  await revoking.click();
  await flash("Active sessions of web-servers revoked");
  await seen(/Sessions that were issued before .* are revoked/);
  await page.getByRole("tab", { name: "Permissions" }).click();
  await seen("AWSRevokeOlderSessions");
}

async function serviceLinked() {
  await visit("/iam/roles/AWSServiceRoleForAutoScaling");
  await seen("This is a service-linked role.");
  for (const name of ["Add permissions", "Set boundary"])
    if ((await page.getByRole("button", { name }).count()) > 0) throw new Error(name);
  await good(world, "a service-linked role");
  await button("Delete").click();
  await seen("Service-linked role: it is deleted only if");
  await field("Enter AWSServiceRoleForAutoScaling to confirm").fill("AWSServiceRoleForAutoScaling");
  await button("Delete role").click();
  await flash("Role AWSServiceRoleForAutoScaling deleted");
}

async function remove() {
  await visit("/iam/roles");
  await page.getByLabel("Search Roles").fill("web-");
  await choose("web-servers");
  await button("Delete").click();
  await seen("Inline policies: AWSRevokeOlderSessions, own");
  await seen("Instance profile: web-servers");
  await seen("Detached (not deleted): AmazonS3ReadOnlyAccess");
  await good(world, "deleting a role");
  await field("Enter web-servers to confirm").fill("web-server");
  await page.keyboard.press("Enter");
  await field("Enter web-servers to confirm").fill("web-servers");
  await page.keyboard.press("Enter");
  await flash("Role web-servers deleted");
  await page.getByLabel("Search Roles").fill("");
  await choose("partner");
  await choose("staff");
  await button("Delete").click();
  await field("Enter delete to confirm").fill("delete");
  await button("Delete roles").click();
  await flash("2 roles deleted");
  await gone("partner");
  await visit(`/iam/provider?arn=arn:aws:iam::${told.account}:saml-provider/Corp`);
  await button("Delete").click();
  await field("Enter confirm to confirm").fill("confirm");
  await dialog().getByRole("button", { name: "Delete" }).click();
  await flash("Identity provider Corp deleted");
}

await walk(world, [
  arrive, addProviders, addSaml, roleOfProvider, roleOfService, rolesOfOthers, trust, settings,
  revoke, serviceLinked, remove,
]);
