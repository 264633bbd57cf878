// The console in Chromium: one JSON line for each step, read by test_console.py.
//
// It opens the console as a person does, and lets scripts of the page ask the endpoints, so that
// what only a browser enforces is really enforced: the cookie's flags, the content security policy
// and that nothing is fetched from anywhere else.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.KEYWRIGHT_NODE_MODULES}/`);
const { chromium } = require("playwright-core");

const told = JSON.parse(readFileSync(0, "utf8"));
const say = (step, what) => console.log(JSON.stringify({ step, ...what }));

const browser = await chromium.launch({
  executablePath: told.browser,
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const context = await browser.newContext();
const page = await context.newPage();
const visit = { violations: [], elsewhere: [], errors: [] };
page.on("request", (request) => {
  const url = request.url();
  if (!url.startsWith(`${told.console}/`) && !/^(data|blob):/.test(url)) visit.elsewhere.push(url);
});
page.on("pageerror", (error) => visit.errors.push(error.message));
await page.addInitScript(() => {
  globalThis.violations = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    globalThis.violations.push(event.effectiveDirective),
  );
});

/** Asks an endpoint from a script of the page, which sends the cookie along. */
function ask(method, endpoint, body) {
  return page.evaluate(
    async ([method, endpoint, body]) => {
      const headers = { "content-type": "application/json", "x-keywright-console": "1" };
      const init = method === "POST" ? { method, headers, body: JSON.stringify(body) } : {};
      const answer = await fetch(`/console/api/${endpoint}`, init);
      const text = await answer.text();
      return { status: answer.status, ...(text ? JSON.parse(text) : {}) };
    },
    [method, endpoint, body],
  );
}

const violations = () => page.evaluate(() => globalThis.violations);

await page.goto(`${told.console}/`, { waitUntil: "networkidle" });
say("opened", { url: page.url().split("?")[0] });
const who = { account: told.account, userName: told.user };
const wrong = await ask("POST", "sign-in", { ...who, password: "wrong" });
say("wrong password", { status: wrong.status, code: wrong.code });
const right = await ask("POST", "sign-in", { ...who, password: told.password });
say("signed in", { status: right.status, state: right.state });
say("cookies that scripts see", { cookies: await page.evaluate(() => document.cookie) });
visit.violations.push(...(await violations()));
await page.goto(`${told.console}/console/`, { waitUntil: "networkidle" });
say("after a reload", { state: (await ask("GET", "session")).state });
const made = await ask("POST", "credentials", {});
say("credentials", { status: made.status, prefix: made.accessKeyId.slice(0, 4) });
say("signed out", { status: (await ask("POST", "sign-out", {})).status });
const cookies = (await context.cookies()).map(({ name }) => name);
say("after that", { state: (await ask("GET", "session")).state, cookies });
visit.violations.push(...(await violations()));
await page.evaluate(
  () =>
    new Promise((resolve) => {
      document.addEventListener("securitypolicyviolation", resolve, { once: true });
      const style = document.createElement("style");
      style.textContent = "body { color: red }";
      document.head.append(style);
    }),
);
say("styles in the page are refused", { violated: (await violations()).at(-1) });
say("whole visit", visit);
await browser.close();
