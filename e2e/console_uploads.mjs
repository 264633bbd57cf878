// Uploads in Chromium: a file that goes in parts, cancelled on its way and then sent whole.
import { open, told, walk } from "./harness/browser.mjs";

const world = await open();
const { page, button, seen, visit, signIn } = world;
const flash = (said) => page.locator("[class*=flash]").getByText(said).first().waitFor();
const SECOND = /[?&]partNumber=2&/;

const choose = () => page.getByLabel("Files to upload").setInputFiles(told.file);

async function arrive() {
  await visit(`/s3/buckets/${told.bucket}`);
  await signIn(told.password);
  await seen("No objects");
}

/** The second part is never answered. One goes to another page, and cancels it from there. */
async function cancel() {
  await page.route(SECOND, () => undefined);
  const second = page.waitForRequest(SECOND);
  await choose();
  await second;
  await page.getByRole("link", { name: "Buckets" }).last().click();
  await page.getByRole("link", { name: told.bucket }).waitFor();
  await seen(`Uploading ${told.name}`);
  await button("Cancel upload").click();
  await flash("Upload cancelled.");
  await page.unroute(SECOND);
  await page.getByRole("link", { name: told.bucket }).click();
  await seen("No objects");
}

async function whole() {
  await choose();
  await flash(`${told.name} uploaded`);
  await page.getByRole("row", { name: told.name }).getByText("20.0 MB").waitFor();
}

await walk(world, [arrive, cancel, whole]);
