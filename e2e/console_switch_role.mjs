// Switching roles in Chromium: the form, what the role may and the user may not, a reload, another
// tab, switching back, sessions that have ended, and what is denied.
import { good, open, told, walk } from "./harness/browser.mjs";

const world = await open();
const { page, context, button, seen, gone, visit, pick } = world;
const account = (name) => page.getByRole("button", { name: `Account: ${name}` }).first();
const bar = () => page.getByRole("region", { name: "Role" });

async function denied() {
  await visit("/iam/users");
  await world.signIn(told.userPassword, told.user);
  await seen("You don't have permission to perform iam:ListUsers");
  await visit(`/switch-role?account=${told.account}&roleName=strangers`);
  await button("Switch Role").click();
  await seen("You don't have permission to perform sts:AssumeRole");
  if ((await bar().count()) > 0) throw new Error("acts in a role");
}

async function switchToRole() {
  await pick(account(`${told.user} @`), "Switch role");
  await gone("strangers");
  await button("Switch Role").click();
  await seen("Enter the name of the role");
  await page.getByRole("textbox", { name: "Account ID" }).fill(told.account);
  await page.getByLabel("IAM role name").fill("/teams/readers");
  await page.getByLabel("Display name").fill("Readers");
  await page.getByRole("button", { name: /Display color/ }).click();
  await page.getByRole("option", { name: "Green" }).click();
  await good(world, "/switch-role");
  await button("Switch Role").click();
  await bar().getByText("You are using the role Readers").waitFor();
  // The role's maximum.
  await bar().getByText("Its session ends in 2 hours").waitFor();
  await seen("IAM resources");
  await visitUsers();
  await good(world, "acting in a role");
}

/** Goes to the list of users without a reload, which the role may read. */
async function visitUsers() {
  await world.go("/iam/users");
  await page.getByRole("link", { name: told.user, exact: true }).waitFor();
}

async function reload() {
  await page.reload();
  await bar().getByText("You are using the role Readers").waitFor();
  await page.getByRole("link", { name: told.user, exact: true }).waitFor();
  const other = await context.newPage();
  await other.goto(`${told.console}/console/iam/users`);
  await other.getByText("You don't have permission to perform iam:ListUsers").first().waitFor();
  await other.close();
  await world.go("/security-credentials");
  await seen("You are using a role, which has no password");
  const stored = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));
  if (/ASIA|secret|token/i.test(stored)) throw new Error(stored);
}

async function back() {
  await pick(account("Readers"), "Switch back");
  await account(`${told.user} @`).waitFor();
  if ((await bar().count()) > 0) throw new Error("still acts in the role");
  await world.go("/iam/users");
  await seen("You don't have permission to perform iam:ListUsers");
}

/** Nothing is done as the user when the role's session is over, in a window with its own clock. */
async function end() {
  const later = await world.browser.newContext({ storageState: await context.storageState() });
  const tab = await later.newPage();
  const keys = new Set();
  await tab.clock.install();
  await tab.goto(`${told.console}/console/switch-role?account=${told.account}&roleName=teams/readers`);
  await tab.getByRole("button", { name: "Switch Role", exact: true }).click();
  await tab.getByText("Its session ends in 2 hours").waitFor();
  tab.on("request", (request) => {
    const signed = /Credential=([^/]+)/.exec(request.headers().authorization ?? "");
    if (signed) keys.add(signed[1]);
  });
  await tab.getByText("IAM resources").first().waitFor();
  await tab.getByRole("link", { name: "IAM users" }).first().click();
  await tab.getByRole("link", { name: told.user, exact: true }).waitFor();
  await tab.clock.fastForward("01:59:00");
  await tab.getByText("Its session ends in").waitFor();
  await tab.clock.fastForward("00:01:05");
  await tab.getByText("Your session in the role readers @").waitFor();
  if (keys.size !== 1) throw new Error([...keys].join());
  await good({ ...world, page: tab }, "the end of a role's session");
  await tab.getByRole("button", { name: "Switch back" }).click();
  await tab.getByRole("button", { name: `Account: ${told.user} @` }).first().waitFor();
  await later.close();
}

async function signOut() {
  await visit(`/switch-role?account=${told.account}&roleName=teams/readers`);
  await button("Switch Role").click();
  await bar().waitFor();
  await pick(account("readers"), "Sign out");
  await seen("IAM user sign in");
  await world.signIn(told.userPassword, told.user);
  await account(`${told.user} @`).waitFor();
  if ((await bar().count()) > 0) throw new Error("acts in the role of another session");
}

async function root() {
  await pick(account(`${told.user} @`), "Sign out");
  await seen("IAM user sign in");
  await visit("/switch-role");
  await world.signIn(told.password);
  await seen("The root user can't switch to a role.");
  await good(world, "/switch-role of root");
  await gone("IAM role name");
}

await walk(world, [denied, switchToRole, reload, back, end, signOut, root]);
