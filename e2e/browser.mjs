// Chromium with one page that tells what went wrong in it: errors of scripts, requests to anywhere
// else, and what the content security policy refused.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.KEYWRIGHT_NODE_MODULES}/`);
const { chromium } = require("playwright-core");

/** Opens Chromium; `told` has its path and the server's endpoint. */
export async function open(told) {
  const browser = await chromium.launch({
    executablePath: told.browser,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${told.endpoint}/`) && !/^(data|blob):/.test(url)) wrong.push(url);
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      setTimeout(() => {
        throw new Error(`refused by the content security policy: ${event.effectiveDirective}`);
      }),
    );
  });
  return { browser, page, wrong };
}
