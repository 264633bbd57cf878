// The story's dialogs with the keyboard alone: no step here uses a pointer.
import { open, told, walk } from "./harness/browser.mjs";

const world = await open();
const { page, seen, visit } = world;
const press = (key) => page.keyboard.press(key);
const type = (text) => page.keyboard.type(text);

/** What a screen reader would call that which has the focus. */
const focused = () =>
  page.evaluate(() => {
    const { activeElement: at } = document;
    const named = at?.getAttribute("aria-label") ?? at?.labels?.[0]?.innerText;
    return (named ?? at?.innerText ?? "").trim();
  });

/** Tabs until something of this name has the focus. */
async function tabTo(name) {
  const passed = [];
  while (passed.length < 100) {
    await press("Tab");
    const now = await focused();
    if (now === name) return;
    passed.push(now);
  }
  throw new Error(`${name} is not among ${passed.join(" | ")}`);
}

/** Opens the menu of a key, and chooses. */
async function choose(item) {
  await tabTo(`Actions for ${told.key}`);
  await press("Enter");
  await page.getByRole("menuitem", { name: item }).waitFor();
  for (let at = 0; (await focused()) !== item; at += 1) {
    if (at > 10) throw new Error(`${item} cannot be reached`);
    await press("ArrowDown");
  }
  await press("Enter");
  await seen(`${item} ${told.key}?`);
}

async function signIn() {
  await visit(`/iam/users/${told.user}?tab=credentials`);
  await seen("IAM user sign in");
  await tabTo("Sign in using root user credentials");
  await press("Enter");
  await tabTo("Account ID or alias");
  await type(told.account);
  await tabTo("Password");
  await type(told.password);
  await press("Enter");
  await seen("Last used service");
}

async function deactivate() {
  await choose("Deactivate");
  await press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  const back = await focused();
  if (back !== `Actions for ${told.key}`) throw new Error(`the dialog leaves one at ${back}`);
  await press("Shift+Tab");
  await choose("Deactivate");
  await tabTo("Deactivate");
  await press("Enter");
  await seen(`Access key ${told.key} deactivated`);
}

async function remove() {
  await seen(`${told.key} - Inactive`);
  await choose("Delete");
  await tabTo(`Enter ${told.key} to confirm`);
  await type(told.key);
  await tabTo("Delete");
  await press("Enter");
  await seen(`Access key ${told.key} deleted`);
  await seen("No access keys");
}

await walk(world, [signIn, deactivate, remove]);
