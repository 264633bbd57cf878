// The access keys of the whole account in Chromium: who uses them, and the actions on them.
import { good, open, told, walk } from "./harness/browser.mjs";

const world = await open();
const { page, button, seen, gone, visit, pick } = world;
const flash = (said) => page.locator("[class*=flash]").getByText(said).first().waitFor();
const row = (key) => page.getByRole("row", { name: key });
const choose = (key) => row(key).locator("label").first().click();

async function list() {
  await visit("/iam/keys");
  await world.signIn(told.password);
  await row(told.used).getByText("Just now").or(row(told.used).getByText(/ago/)).first().waitFor();
  await row(told.used).getByText("iam, us-east-1").waitFor();
  await row(told.used).getByText("laptop").waitFor();
  await row(told.inactive).getByText("2 rejected").waitFor();
  await row(told.rotating).getByRole("link", { name: "Old key" }).waitFor();
  await good(world, "/iam/keys");
  await page.getByLabel("Search Access keys").fill("bob");
  await gone(told.used);
  await page.getByLabel("Search Access keys").fill(told.used.toLowerCase());
  await row(told.used).waitFor();
  await gone(told.inactive);
}

async function act() {
  await choose(told.used);
  await pick(button("Actions"), "Edit description");
  await page.getByRole("dialog").getByLabel("Description").fill("desktop");
  await button("Save").click();
  await flash("Description saved");
  await row(told.used).getByText("desktop").waitFor();
  await pick(button("Actions"), "Deactivate");
  await seen(/Last used: (Just now|.* ago) \(iam, us-east-1\)/);
  await good(world, "deactivating a key");
  await page.getByRole("dialog").getByRole("button", { name: "Deactivate" }).click();
  await flash(`Access key ${told.used} deactivated`);
  await row(told.used).getByText("Inactive").waitFor();
  await row(told.used).getByText("None").waitFor();
  await pick(button("Actions"), "Delete");
  await page.getByLabel(`Enter ${told.used} to confirm`).fill(told.used);
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await flash(`Access key ${told.used} deleted`);
  await seen("No matches");
  await page.getByLabel("Search Access keys").fill("");
  await choose(told.inactive);
  await pick(button("Actions"), "Activate");
  await page.getByRole("dialog").getByRole("button", { name: "Activate" }).click();
  await flash(`Access key ${told.inactive} activated`);
  await pick(button("Actions"), "Rotate");
  await seen("Start rotation");
}

/** Whoever may not list a user's keys sees that, after one denied request. */
async function denied() {
  await pick(page.getByRole("button", { name: /^Account: / }).first(), "Sign out");
  await seen("IAM user sign in");
  const asked = [];
  page.on("request", (request) => asked.push(request.postData() ?? ""));
  await visit("/iam/keys");
  await world.signIn(told.userPassword, told.user);
  await seen("You don't have permission to perform iam:ListAccessKeys");
  await good(world, "/iam/keys of somebody else");
  const lists = asked.filter((body) => body.includes("Action=ListAccessKeys"));
  if (lists.length > 6) throw new Error(`${lists.length} requests were denied`);
}

await walk(world, [list, act, denied]);
