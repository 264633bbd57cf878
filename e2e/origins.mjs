// Objects that attack the console, in a browser in which root is signed in; one JSON line for each
// attack, read by test_origins.py.
//
// The first line of defence is that no script of an object runs. The second is that one which ran at
// the API's address, the same site as the console's, would get nothing either: for that the browser
// is handed the API's answer without its word against scripts, which also shows that the attack works.
import { open, told } from "./harness/browser.mjs";

const world = await open();
const { context, page } = world;
const say = (step, what) => console.log(JSON.stringify({ step, ...what }));

/** What the console's own page gets: there is something to get, and it stays so. */
const own = () =>
  page.evaluate(async () => {
    const headers = { "content-type": "application/json", "x-keywright-console": "1" };
    const init = { method: "POST", headers, body: "{}" };
    const answer = await fetch("/console/api/credentials", init);
    return (await answer.json()).accessKeyId?.slice(0, 4) ?? answer.status;
  });

await world.visit("/iam");
await world.signIn(told.password);
await world.seen("IAM resources");
say("own page before", { got: await own() });

for (const [name, link] of Object.entries(told.links)) {
  const victim = await context.newPage();
  const answer = await victim.goto(link, { waitUntil: "load" });
  const ran = await runs(victim);
  say(name, { status: answer.status(), ran, loot: [] });
  // Within a page of the attacker's that may run scripts, elsewhere and at the API's address.
  await victim.route("**/frame", (route) =>
    route.fulfill({ contentType: "text/html", body: `<iframe src="${link}"></iframe>` }),
  );
  await victim.goto(`${told.endpoint}/frame`, { waitUntil: "load" });
  const frame = victim.frames().at(-1);
  say(`${name}, framed`, { ran: await runs(frame), loot: [] });
  await victim.close();
}

for (const [name, link] of [
  ["the API's address", told.links["a page"]],
  ["another site", "http://evil.example/attack.html"],
]) {
  const victim = await context.newPage();
  await victim.route(
    (url) => url.href === link,
    async (route) => {
      const response = await route.fetch({ url: told.links["a page"] });
      const { "content-security-policy": _, ...headers } = response.headers();
      await route.fulfill({ response, headers });
    },
  );
  await victim.goto(link);
  await victim.waitForFunction(() => document.title === "done", null, { timeout: 60_000 });
  say(`a script at ${name}`, await victim.evaluate(() => ({ ran: true, ...globalThis.report })));
  await victim.close();
}
// Nobody was signed out, either.
say("own page after", { got: await own() });
await world.browser.close();

/** Whether the attack runs: the first thing that it does, while the page loads, is to change the title. */
async function runs(frame) {
  await frame.waitForLoadState("load");
  return ["running", "done"].includes(await frame.title());
}
