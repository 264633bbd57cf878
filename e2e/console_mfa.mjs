// MFA in Chromium: root and a user get a device each, sign in with it, and root gives its up again.
// Only what a person sees is used; the codes are those that an app would show.
import { createHmac } from "node:crypto";

import { open, told } from "./harness/browser.mjs";

const { browser, page, wrong, pick } = await open();

const button = (name) => page.getByRole("button", { name, exact: true }).last();
const seen = (text) => page.getByText(text).first().waitFor();
const go = (path) => page.goto(`${told.console}/console${path}`);

/** An app that has a seed: it shows each code once, and never waits for the next one. */
function app(base32) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...base32].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0"));
  const key = Buffer.from(bits.join("").match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const now = () => Math.floor(Date.now() / 30_000);
  let shown = 0;
  const code = (step) => {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac("sha1", key).update(counter).digest();
    const number = mac.readUInt32BE(mac.at(-1) & 0x0f) & 0x7fffffff;
    return String(number % 1_000_000).padStart(6, "0");
  };
  return {
    pair() {
      const first = Math.max(shown + 1, now() - 2);
      shown = first + 1;
      return [code(first), code(first + 1)];
    },
    next() {
      shown = Math.max(shown + 1, now() - 1);
      return code(shown);
    },
  };
}

/** Goes through the wizard that is open; gives the app that has the device's seed. */
async function assign(name) {
  await page.getByLabel("Device name").fill(name);
  await button("Next").click();
  await button("Show QR code").click();
  const width = await page
    .getByAltText("QR code for the authenticator app")
    .evaluate((image) => image.decode().then(() => image.naturalWidth));
  if (width < 200) throw new Error(`the QR code is ${width} pixels wide`);
  await button("Show Secret key").click();
  const device = app(await page.locator('[data-secret="Secret key"]').innerText());
  const [first, second] = device.pair();
  await page.getByLabel("MFA code 1").fill(second);
  await page.getByLabel("MFA code 2").fill(first);
  await button("Add MFA").click();
  await seen("Authentication code for device is not valid.");
  await page.getByLabel("MFA code 1").fill(first);
  await page.getByLabel("MFA code 2").fill(second);
  await button("Add MFA").click();
  await seen("MFA device assigned");
  await seen(`:mfa/${name}`);
  return device;
}

async function signOut() {
  await pick(page.getByRole("button", { name: /^Account: / }), "Sign out");
  await seen("IAM user sign in");
}

/** Signs in, and gives a wrong code before the right one. */
async function signIn(user, password, device) {
  await go("/");
  if (!user) await button("Sign in using root user credentials").click();
  await page.getByLabel("Account ID or alias").fill(told.account);
  if (user) await page.getByLabel("IAM user name").fill(user);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await button("Sign in").click();
  if (device) {
    const right = device.next();
    await page.getByLabel("MFA code").fill("12345");
    await button("Submit").click();
    await seen("Your authentication information is incorrect. Please try again.");
    await page.getByLabel("MFA code").fill(right);
    await button("Submit").click();
  }
  await seen("IAM Dashboard");
}

async function rootGetsOne() {
  await signIn(undefined, told.rootPassword);
  await seen("Add MFA for root user");
  await button("Add MFA").click();
  const device = await assign("root-account-mfa-device");
  // Signed in without a code, it can add no other.
  if (await button("Assign MFA device").isEnabled()) throw new Error("a second device was offered");
  await signOut();
  await signIn(undefined, told.rootPassword, device);
  await seen("Active access keys");
  if (await page.getByText("Add MFA for root user").isVisible())
    throw new Error("the recommendation is still there");
}

async function userGetsOne() {
  await go(`/iam/users/${told.user}?tab=credentials`);
  await seen("Enabled without MFA");
  await seen("No MFA devices");
  await button("Assign MFA device").click();
  const device = await assign("phone");
  await seen("Enabled with MFA");
  await page.getByRole("link", { name: "IAM users" }).first().click();
  await page.getByRole("row", { name: told.user }).getByText("Virtual").waitFor();
  return device;
}

async function rootGivesItUp() {
  await pick(page.getByRole("button", { name: /^Account: / }), "Security credentials");
  await page.getByRole("row", { name: /root-account-mfa-device/ }).locator("label").click();
  await button("Remove").click();
  await seen("After that, the password alone is sufficient to sign in.");
  await button("Remove").click();
  await seen("MFA device removed");
  await seen("No MFA devices");
  await signOut();
}

try {
  await rootGetsOne();
  const device = await userGetsOne();
  await rootGivesItUp();
  await signIn(told.user, told.password, device);
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
  console.log("whole");
} catch (error) {
  console.log(await page.locator("main, body").first().innerText());
  throw error;
} finally {
  await browser.close();
}
