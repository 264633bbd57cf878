// A browser as a person has it, and what every walk through the console does in it.
//
// The one rule: a walk fails when the page throws, when the content security policy refuses
// anything, or when anything is fetched from another origin; only downloads come from the API's.
import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.KEYWRIGHT_NODE_MODULES}/`);
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** What the test that runs the script told it. */
export const told = JSON.parse(readFileSync(0, "utf8"));

const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 375, height: 812 };

/** A browser with one page, and the means to act on it. */
export async function open(options = {}) {
  const browser = await chromium.launch({
    executablePath: told.browser,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  });
  const context = await browser.newContext({ viewport: WIDE, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const answered = watchRequests(page);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("request", (request) => {
    const url = request.url();
    const download = request.isNavigationRequest() && url.startsWith(`${told.endpoint}/`);
    const ours = url.startsWith(`${told.console}/`) || /^(data|blob):/.test(url);
    if (!ours && !download) wrong.push(url);
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      setTimeout(() => {
        throw new Error(`refused by the content security policy: ${event.effectiveDirective}`);
      }),
    );
  });
  return { browser, context, page, wrong, ...means(page, answered) };
}

/** Returns a function that waits until no request of the page is without its answer. */
function watchRequests(page) {
  const underWay = new Set();
  const ended = new EventEmitter();
  page.on("request", (request) => underWay.add(request));
  for (const end of ["requestfinished", "requestfailed"])
    page.on(end, (request) => {
      underWay.delete(request);
      ended.emit("request");
    });
  return async () => {
    while (underWay.size > 0) await once(ended, "request", { signal: AbortSignal.timeout(20_000) });
  };
}

function means(page, answered) {
  const button = (name) => page.getByRole("button", { name, exact: true }).last();
  const seen = (text) => page.getByText(text).first().waitFor();
  const gone = (text) => page.getByText(text).first().waitFor({ state: "detached" });
  const visit = (path) => page.goto(`${told.console}/console${path}`);
  /** Goes to another page without loading the console again, as a link does. */
  const go = (path) =>
    page.evaluate((path) => {
      history.pushState(null, "", `/console${path}`);
      dispatchEvent(new PopStateEvent("popstate"));
    }, path);
  /** Fills the sign-in form that is on the page, as root where no user is named. */
  const signIn = async (password, user) => {
    if (!user) await button("Sign in using root user credentials").click();
    await page.getByLabel("Account ID or alias").fill(told.account);
    if (user) await page.getByLabel("IAM user name").fill(user);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await button("Sign in").click();
  };
  /**
   * Picks an item of the menu behind a button. The page must have all its facts first: what
   * arrives between the mouse button's way down and its way up moves the item from under it.
   */
  const pick = async (menu, item) => {
    await menu.click();
    const target = page.getByRole("menuitem", { name: item });
    await target.waitFor();
    await answered();
    await settled(page);
    await target.click();
  };
  return { button, seen, gone, visit, go, signIn, pick };
}

/** Holds the page to axe in a wide and in a narrow window, which it must fit. */
export async function good(world, name) {
  await accessible(world, name);
  await world.page.setViewportSize(NARROW);
  await fits(world, name);
  await accessible(world, `${name}, narrow`);
  await world.page.setViewportSize(WIDE);
}

/** Waits until nothing fades in or out any more: half faded, no colour has its contrast. */
async function settled(page) {
  const still = () => {
    const moving = ({ playState, effect }) =>
      playState === "running" && effect?.getComputedTiming().endTime !== Infinity;
    return !document.getAnimations().some(moving);
  };
  // What begins to move does so within a frame or two.
  await page.evaluate(() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go))));
  await page.waitForFunction(still);
}

/** Notes what axe finds serious on the page. */
async function accessible({ page, wrong }, name) {
  await settled(page);
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join("\n    ")}`);
  });
  wrong.push(...found.map((what) => `axe on ${name}: ${what}`));
}

/** Notes that a page stays wider than the window, which it follows a moment later. */
async function fits({ page, wrong }, name) {
  const narrow = () =>
    document.documentElement.scrollWidth <= document.documentElement.clientWidth;
  const wide = () => wrong.push(`${name} is wider than the window`);
  await page.waitForFunction(narrow, null, { timeout: 5_000 }).catch(wide);
}

/** Runs a walk to its end; prints `whole`, or what was on the page when it failed. */
export async function walk(world, steps) {
  const { browser, page, wrong } = world;
  try {
    for (const step of steps) {
      console.error(step.name);
      await step(world);
    }
    if (wrong.length > 0) throw new Error(wrong.join("\n"));
    console.log("whole");
  } catch (error) {
    console.log(await page.locator("main, body").first().innerText());
    throw error;
  } finally {
    await browser.close();
  }
}
