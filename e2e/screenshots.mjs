// Pictures of the console's pages: light, dark and narrow; while there is nothing, while something
// loads, and when something is wrong. They are for looking at; nothing is compared.
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
const PROVIDER = `/iam/provider?arn=arn:aws:iam::${told.account}`;
const BUCKET = "/s3/buckets/photos-of-2026";

/** Waits for a text. */
const see = (text) => ({ seen }) => seen(text);
/** Waits for a text that narrow windows have in another place. */
const shown = (text) => ({ page }) => page.getByText(text).filter({ visible: true }).first().waitFor();
/** Presses a button, a menu's entry or a tab by its name. */
const press =
  (name, role = "button") =>
  ({ page }) =>
    page.getByRole(role, { name }).last().click();
const choose = (name) => ({ page }) => page.getByRole("row", { name }).locator("label").first().click();

/**
 * Pages by the name of their picture: where, what is there when it is whole, and what is done then:
 * a text is clicked, an object names fields with what they are filled with.
 */
const FILLED = {
  dashboard: ["/iam", "IAM resources"],
  users: ["/iam/users", "RotateKeyUser"],
  "users-preferences": ["/iam/users", "RotateKeyUser", press("Preferences")],
  "users-delete": ["/iam/users", "RotateKeyUser", choose("bob"), choose("deployer"), "Delete"],
  "user-create": ["/iam/users/create", "up to 64 characters", "Provide user access"],
  "user-create-wrong": ["/iam/users/create", "up to 64 characters", { "User name": "a b" }, "Next"],
  "user-create-permissions": ["/iam/users/create", "up to 64 characters", { "User name": "zoe" }, "Next", "Attach policies directly"],
  "user-create-review": [
    "/iam/users/create", "up to 64 characters", { "User name": "zoe" }, "Provide user access", "Next", "Copy permissions",
    choose("RotateKeyUser"), "Next", "Add new tag",
  ],
  "user-permissions": [`${USER}?tab=permissions`, "photo-readers"],
  "user-permissions-add": [`${USER}?tab=permissions`, "photo-readers", "Add permissions", choose("ReadOnlyAccess")],
  "user-groups": [`${USER}?tab=groups`, "readers"],
  "user-tags": [`${USER}?tab=tags`, "storage"],
  "user-credentials": [`${USER}?tab=credentials`, "Last used service"],
  "user-credentials-mfa": ["/iam/users/careful?tab=credentials", ":mfa/phone"],
  "user-rotating": ["/iam/users/waits?tab=credentials", "Last used service"],
  "user-password": [`${USER}?tab=credentials`, "Last used service", "Reset password"],
  "user-delete": [USER, "photo-readers", "Delete"],
  "user-missing": ["/iam/users/nobody-of-this-name", "NoSuchEntity"],
  "key-create": [`${USER}/keys/create`, "Use case", "Command Line Interface (CLI)"],
  "key-create-description": ["/iam/users/careful/keys/create", "Use case", "Your use case is not listed here.", "Next"],
  "key-deactivate": ["/iam/users/deployer?tab=credentials", "Last used service", press(/^Actions for/), press("Deactivate", "menuitem")],
  "key-delete": ["/iam/users/deployer?tab=credentials", "Last used service", press(/^Actions for/), press("Delete", "menuitem")],
  "key-rotate": ["/iam/users/deployer/keys/rotate", "Start rotation"],
  "key-rotate-incident": ["/iam/users/deployer/keys/rotate", "Start rotation", "Incident: the key has leaked"],
  "key-rotate-two": [`${USER}/keys/rotate`, "Can't start"],
  "mfa-assign": [`${USER}/mfa/assign`, "Device name"],
  "mfa-set-up": [`${USER}/mfa/assign`, "Device name", { "Device name": "phone-KIND" }, "Next", "Show QR code"],
  "mfa-remove": ["/iam/users/careful?tab=credentials", ":mfa/phone", choose(/mfa/), "Remove"],
  "security-credentials": ["/security-credentials", "Multi-factor authentication"],
  "root-key-create": ["/security-credentials/keys/create", "Create root access key?"],
  rotations: ["/rotations", "watched"],
  "rotation-waits": ["/rotations/waits", "Action required: deliver the new key"],
  "rotation-key": ["/rotations/waits", "Action required: deliver the new key", "Retrieve new key"],
  "rotation-watched": ["/rotations/watched", "Observe – waiting"],
  "rotation-held": ["/rotations/held", "Rotation paused"],
  "rotation-over": ["/rotations/over", "Rotation complete", "History"],
  "rotation-back": ["/rotations/back", "is active again"],
  "rotation-roll-back": ["/rotations/watched", "Observe – waiting", "Roll back"],
  "rotation-policies": ["/rotation-policies", "iam:GenerateCredentialReport"],
  "rotation-policy": ["/rotation-policies/edit?name=builds", "Missing permission"],
  "rotation-policy-create": ["/rotation-policies/create", "Affected users"],
  "rotation-policy-tags": ["/rotation-policies/create", "Affected users", "Users with tags", "Add new tag"],
  groups: ["/iam/groups", "Defined"],
  "group-create": ["/iam/groups", "Defined", "Create group"],
  "group-delete": ["/iam/groups", "Defined", choose("readers"), "Delete"],
  group: ["/iam/groups/readers", "RotateKeyUser"],
  "group-permissions": ["/iam/groups/readers?tab=permissions", "photo-readers"],
  keys: ["/iam/keys", "deployer"],
  "keys-delete": ["/iam/keys", "deployer", choose("deployer"), press("Actions"), press("Delete", "menuitem")],
  roles: ["/iam/roles", "developers"],
  "roles-delete": ["/iam/roles", "developers", choose("web-servers"), "Delete"],
  role: ["/iam/roles/developers", "ReadOnlyAccess"],
  "role-edit": ["/iam/roles/developers", "ReadOnlyAccess", press("Edit")],
  "role-trust": ["/iam/roles/deploy-the-shop?tab=trust", "Edit trust policy"],
  "role-trust-edit": ["/iam/roles/deploy-the-shop/trust", "Update policy"],
  "role-sessions": ["/iam/roles/developers?tab=sessions", "No sessions have been revoked", "Revoke active sessions"],
  "role-service-linked": ["/iam/roles/AWSServiceRoleForAutoScaling", "This is a service-linked role"],
  "role-create": ["/iam/roles/create", "Trusted entity type"],
  "role-create-account": ["/iam/roles/create", "Trusted entity type", "AWS account", "Another AWS account", "Require external ID", "Next"],
  "role-create-github": [
    `/iam/roles/create?provider=arn:aws:iam::${told.account}:oidc-provider/token.actions.githubusercontent.com`,
    "GitHub organization", "Add condition", "Next",
  ],
  "role-create-custom": ["/iam/roles/create", "Trusted entity type", "Custom trust policy"],
  "role-create-review": [
    "/iam/roles/create", "Trusted entity type", "AWS account", "Next", see("Set permissions boundary"), "Next",
    { "Role name": "partners" }, "Add new tag",
  ],
  providers: ["/iam/providers", "Corp"],
  "provider-create": ["/iam/providers/create", "Provider URL"],
  "provider-create-saml": ["/iam/providers/create", "Provider URL", press("SAML", "radio"), press("Add provider")],
  provider: [`${PROVIDER}:oidc-provider/token.actions.githubusercontent.com`, "https://github.com/octo"],
  "provider-thumbprints": [`${PROVIDER}:oidc-provider/token.actions.githubusercontent.com&tab=thumbprints`, "990f4193972f"],
  "provider-assign": [`${PROVIDER}:saml-provider/Corp`, "SAML metadata", "Assign role", "Use an existing role"],
  "provider-saml": [`${PROVIDER}:saml-provider/Corp`, "Replace metadata"],
  "switch-role-root": ["/switch-role", "The root user can't switch to a role"],
  policies: ["/iam/policies", "AWS managed"],
  "policy-create": ["/iam/policies/create", "Policy editor", { "Policy document": told.draft }, see("No findings")],
  "policy-create-wrong": [
    "/iam/policies/create", "Policy editor",
    { "Policy document": told.draft.replace("GetObject", "GetObjekt") }, shown("Warnings: 1"),
  ],
  "policy-create-review": ["/iam/policies/create", "Policy editor", { "Policy document": told.draft }, "Next", "Add new tag"],
  policy: [POLICY, "Permissions defined in this policy"],
  "policy-entities": [`${POLICY}&tab=entities`, "Permissions policy"],
  "policy-attach": [`${POLICY}&tab=entities`, "Permissions policy", press("Attach")],
  "policy-versions": [`${POLICY}&tab=versions`, "Default"],
  "policy-delete": [POLICY, "Permissions defined in this policy", "Delete"],
  "policy-edit": [POLICY.replace("policy?", "policy/edit?"), "Version to delete"],
  "policy-inline": [`${USER}/inline`, "characters remaining"],
  account: ["/iam/account", "Password policy"],
  "account-edit": ["/iam/account", "Password policy", "Edit", "Custom"],
  "account-alias": ["/iam/account", "Password policy", "Create alias"],
  simulator: ["/iam/simulator", "Run simulation"],
  "simulator-results": ["/iam/simulator", "Run simulation", simulated, see("Denied (implicit)")],
  report: ["/iam/report", "Download credentials report"],
  denied: ["/denied", "iam:ListUsers"],
  "denied-one": ["/denied", "iam:ListUsers", press("iam:ListUsers", "link"), see("Can grant access")],
  buckets: ["/s3", "photos"],
  "bucket-delete": ["/s3", "photos", choose(/photos/), "Delete"],
  "bucket-empty": ["/s3", "photos", choose(/photos/), "Empty"],
  "bucket-create": ["/s3/create", "Bucket name"],
  bucket: [BUCKET, "cat.txt"],
  "bucket-folder": [`${BUCKET}?prefix=2026%2Fjanuary%2F`, "horse.txt"],
  "bucket-uploading": [BUCKET, "cat.txt", uploading, see("Uploading horses.bin")],
  "bucket-presigned": [BUCKET, "cat.txt", choose(/cat/), press("Presigned URL"), "Expires in 1 hour", press("Copy Presigned URL")],
  "objects-delete": [BUCKET, "cat.txt", choose(/cat/), choose(/2026/), "Delete"],
  "bucket-missing": ["/s3/buckets/no-bucket-of-this-name", "NoSuchBucket"],
  "bucket-policy": [`${BUCKET}?tab=permissions`, "allows everyone"],
  "bucket-public-access": [`${BUCKET}?tab=permissions`, "allows everyone", "Edit settings"],
  "regions-menu": ["/s3", "photos", press(/^(Regions|More)/)],
  "account-menu": ["/iam", "IAM resources", press(/^Account/)],
  "no-such-page": ["/iam/nothing-of-the-kind", "Page not found"],
};
const EMPTY = {
  "dashboard-empty": ["/iam", "IAM resources"],
  "users-empty": ["/iam/users", "No users"],
  "keys-empty": ["/iam/keys", "No access keys"],
  "roles-empty": ["/iam/roles", "No roles"],
  "providers-empty": ["/iam/providers", "No identity providers"],
  "groups-empty": ["/iam/groups", "No groups"],
  "rotations-empty": ["/rotations", "No rotations"],
  "rotation-policies-empty": ["/rotation-policies", "No rotation policies"],
  "denied-empty": ["/denied", "No denied requests"],
  "buckets-empty": ["/s3", "No buckets"],
  "security-credentials-empty": ["/security-credentials", "No MFA devices"],
};
/** What somebody sees who may nothing. */
const REFUSED = {
  "dashboard-refused": ["/iam", "GetAccountSummary"],
  "keys-refused": ["/iam/keys", "You don't have"],
  "roles-refused": ["/iam/roles", "iam:ListRoles"],
  "switch-role": ["/switch-role", "Display color"],
  "switch-role-refused": [`/switch-role?account=${told.account}&roleName=developers`, "Display color", press("Switch Role"), see("You don't have")],
  "users-refused": ["/iam/users", "iam:ListUsers"],
  "user-refused": ["/iam/users/nobody?tab=credentials", "You don't have"],
  "account-refused": ["/iam/account", "You don't have"],
  "rotations-refused": ["/rotations", "You don't have"],
  "simulator-refused": ["/iam/simulator", "You don't have"],
  "report-refused": ["/iam/report", "Download credentials report", "Download credentials report"],
  "buckets-refused": ["/s3", "s3:ListAllMyBuckets"],
  "bucket-refused": [BUCKET, "You don't have"],
};
const LOADING = {
  "users-loading": "/iam/users",
  "dashboard-loading": "/iam",
  "user-loading": USER,
  "account-loading": "/iam/account",
  "rotation-loading": "/rotations/waits",
  "buckets-loading": "/s3",
};

const storageState = await signedIn(told.password);
const nobody = told.state === "empty" ? undefined : await signedIn(told.userPassword, "nobody");
const developer = nobody && (await signedIn(told.userPassword, "developer"));
for (const [kind, viewport] of KINDS) {
  mkdirSync(join(told.folder, kind), { recursive: true });
  const look = { viewport, colorScheme: kind === "dark" ? "dark" : "light" };
  const world = await open({ ...look, storageState });
  await each(world, kind, told.state === "empty" ? EMPTY : FILLED);
  if (told.state !== "empty") {
    await whileLoading(world, kind);
    await serverDown(world, kind);
  }
  await end(world, kind);
  if (!nobody) continue;
  const refused = await open({ ...look, storageState: nobody });
  await each(refused, kind, REFUSED);
  await end(refused, kind);
  const acting = await open({ ...look, storageState: developer });
  await inRole(acting, kind);
  await end(acting, kind);
  const out = await open(look);
  await signingIn(out, kind);
  await end(out, kind);
}

/** A session to begin with. */
async function signedIn(password, user) {
  const world = await open();
  await world.visit("/security-credentials");
  await world.signIn(password, user);
  await world.page.getByRole("button", { name: /^Account: / }).waitFor();
  const state = await world.context.storageState();
  await world.browser.close();
  return state;
}

async function end({ wrong, browser }, kind) {
  for (const problem of wrong) complain(`${kind}: ${problem}`);
  await browser.close();
}

async function each(world, kind, pages) {
  for (const [name, [path, there, ...deeds]] of Object.entries(pages)) {
    await world.visit(path);
    // A page that is not as expected is worth a picture, too.
    await act(world, kind, there, deeds).catch((error) =>
      complain(`${kind}/${name}: ${error.message}`),
    );
    await picture(world.page, name, kind);
  }
}

function complain(what) {
  console.error(what);
  process.exitCode = 1;
}

async function act(world, kind, there, deeds) {
  const { page, seen } = world;
  const loading = page.getByText("Loading", { exact: true }).filter({ visible: true }).first();
  const loaded = () => loading.waitFor({ state: "detached" });
  await seen(there);
  await loaded();
  for (const deed of deeds) {
    if (typeof deed === "function") await deed(world);
    else if (typeof deed === "string") await click(page, deed);
    else {
      for (const [label, value] of Object.entries(deed))
        await page.getByLabel(label).fill(value.replace("KIND", kind));
    }
  }
  await loaded();
}

/** A button of this name, or else the last text. */
async function click(page, name) {
  const button = page.getByRole("button", { name, exact: true });
  const text = page.getByText(name, { exact: name.length < 10 });
  await button.or(text).last().waitFor();
  if ((await button.count()) > 0) await button.last().click();
  else await text.last().click();
}

async function simulated({ page }) {
  await page.getByRole("button", { name: /Choose a user/ }).click();
  await page.getByRole("option", { name: "RotateKeyUser" }).click();
  await page.getByLabel("Actions of other services").fill("s3:GetObject s3:PutObject iam:ListUsers");
  await page.getByLabel("Resource ARNs").fill("arn:aws:s3:::photos-of-2026/cat.jpg");
  await page.getByRole("button", { name: "Run simulation" }).click();
}

/** Begins an upload that the server does not answer. */
async function uploading({ page }) {
  await page.route("**/horses.bin*", () => undefined);
  const file = { name: "horses.bin", mimeType: "text/plain", buffer: Buffer.alloc(1_000_000) };
  await page.getByLabel("Files to upload").setInputFiles(file);
}

/** Pages whose questions are not answered until the picture is taken. */
async function whileLoading({ page, visit }, kind) {
  for (const [name, path] of Object.entries(LOADING)) {
    await page.route(/^[^?]*\/(\?.*)?$/, (route) =>
      route.request().resourceType() === "document" ? route.continue() : undefined,
    );
    const asked = page.waitForRequest((request) => new URL(request.url()).pathname === "/");
    await visit(path);
    await asked;
    await page.locator("main").waitFor();
    await picture(page, name, kind);
    await page.goto("about:blank");
    await page.unrouteAll({ behavior: "ignoreErrors" });
  }
}

async function serverDown({ page, visit, button, seen }, kind) {
  await visit("/iam/groups");
  await page.getByRole("link", { name: "readers" }).waitFor();
  await page.route("**/*", (route) => route.abort("connectionrefused"));
  await button("Refresh IAM user groups").click();
  await seen("The server is not responding.");
  await picture(page, "server-down", kind);
  await page.unrouteAll({ behavior: "ignoreErrors" });
}

/** Somebody who has switched to a role, the menu, and the end of the role's session. */
async function inRole({ page, visit, button, seen }, kind) {
  await page.clock.install();
  await visit(`/switch-role?account=${told.account}&roleName=developers&color=fad791`);
  await button("Switch Role").click();
  await seen("You are using the role");
  await seen("IAM resources");
  await picture(page, "role-acting", kind);
  await page.getByRole("button", { name: /^Account/ }).first().click();
  await seen("Switch back");
  await picture(page, "role-acting-menu", kind);
  await page.clock.fastForward("01:00:05");
  await seen("Session ended");
  await picture(page, "role-ended", kind);
}

async function signingIn({ page, visit, signIn, button, seen }, kind) {
  await visit("/");
  await seen("IAM user sign in");
  await picture(page, "sign-in", kind);
  await signIn("wrong", "nobody");
  await seen("Your authentication information is incorrect");
  await picture(page, "sign-in-wrong", kind);
  await signIn(told.userPassword, "careful");
  await seen("MFA code");
  await picture(page, "sign-in-mfa", kind);
  await button("Back").click();
  await signIn(told.userPassword, "newcomer");
  await seen("you must change your password to continue");
  await picture(page, "sign-in-change-password", kind);
}

async function picture(page, name, kind) {
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({
    path: join(told.folder, kind, `${name}.png`),
    fullPage: true,
    animations: "disabled",
  });
}
