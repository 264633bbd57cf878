// What the console does when something is wrong: the password, a permission, the session, the
// server; and when there are 5,000 users.
import { open, told, walk } from "./harness/browser.mjs";

const world = await open();
const { page, button, seen, visit, signIn, pick } = world;

async function wrongPassword() {
  await visit("/iam/users");
  await signIn("wrong", told.user);
  await seen("Your authentication information is incorrect. Please try again.");
  // What was typed is still there, but for nothing to be told of the account.
  if ((await page.getByLabel("IAM user name").inputValue()) !== told.user) throw new Error("lost");
}

/** `told.user` may nothing at all. */
async function noPermission() {
  await signIn(told.userPassword, told.user);
  await seen("You don't have permission to perform iam:ListUsers");
  await button("Why was this denied?").click();
  await seen("Why was this denied?");
  await seen("You don't have permission to perform keywright:ExplainDeniedRequest");
  await visit("/s3");
  await seen("You don't have permission to perform s3:ListAllMyBuckets");
  await visit("/iam");
  await seen("You don't have permission to perform iam:GetAccountSummary");
}

async function signOut() {
  await pick(page.getByRole("button", { name: /^Account: / }), "Sign out");
  await seen("IAM user sign in");
}

/** A session that ends elsewhere leads to the sign-in page, and from there back. */
async function endedSession() {
  await signIn(told.password);
  await seen("IAM resources");
  await visit(`/iam/users/${told.user}?tab=tags`);
  await seen("No tags");
  await page.getByRole("tab", { name: "Groups" }).click();
  await seen("User groups membership");
  // The page notices by itself: it reads the user's access keys again.
  await page.evaluate(() =>
    fetch("/console/api/sign-out", {
      method: "POST",
      headers: { "content-type": "application/json", "x-keywright-console": "1" },
      body: "{}",
    }),
  );
  await seen("IAM user sign in");
  await signIn(told.password);
  await seen("User groups membership");
  if (!page.url().endsWith(`/iam/users/${told.user}?tab=groups`)) throw new Error(page.url());
}

/** A server that is away is said to be, on pages that are there and on those yet to be fetched. */
async function serverDown() {
  await visit("/iam/groups");
  await page.getByRole("link", { name: "everybody" }).waitFor();
  const away = (route) => route.abort("connectionrefused");
  await page.route("**/*", away);
  await button("Refresh IAM user groups").click();
  await seen("The server is not responding. Check that it is running, and try again.");
  await page.unroute("**/*", away);
  await button("Retry").click();
  await page.getByRole("link", { name: "everybody" }).waitFor();
  await page.route("**/*", away);
  await page.getByRole("link", { name: "Policy simulator" }).click();
  await seen("The server is not responding. Check that it is running, and try again.");
  await page.unroute("**/*", away);
  await button("Retry").click();
  await button("Run simulation").waitFor();
}

const USERS = 5_000;
const name = (at) => `user-${String(at).padStart(4, "0")}`;
const member = (at) =>
  `<member><UserName>${name(at)}</UserName><Path>/</Path><UserId>AIDA${String(at).padStart(16, "0")}</UserId>` +
  `<Arn>arn:aws:iam::${told.account}:user/${name(at)}</Arn><CreateDate>2026-01-02T03:04:05Z</CreateDate></member>`;
const COLUMNS = [
  "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,mfa_active",
  "access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date",
  "access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date",
].join(",");
const reportRow = (at) =>
  `${name(at)},arn,2026-01-02T03:04:05Z,true,no_information,2026-05-0${1 + (at % 9)}T00:00:00Z,false,` +
  `true,2026-0${1 + (at % 9)}-01T00:00:00Z,2026-11-0${1 + (at % 9)}T00:00:00Z,false,N/A,N/A`;

/** The server's answers about 5,000 users, which would take too long to make. */
function answer(form) {
  const of = (action, result) =>
    `<${action}Response><${action}Result>${result}</${action}Result></${action}Response>`;
  switch (form.get("Action")) {
    case "ListUsers": {
      const from = Number(form.get("Marker") ?? 0);
      const till = Math.min(USERS, from + Number(form.get("MaxItems")));
      const users = Array.from({ length: till - from }, (_, at) => member(from + at)).join("");
      const more = till < USERS;
      const marker = more ? `<Marker>${till}</Marker>` : "";
      return of("ListUsers", `<Users>${users}</Users><IsTruncated>${more}</IsTruncated>${marker}`);
    }
    case "GetCredentialReport": {
      const rows = Array.from({ length: USERS }, (_, at) => reportRow(at));
      const content = Buffer.from([COLUMNS, ...rows].join("\n")).toString("base64");
      return of("GetCredentialReport", `<Content>${content}</Content>`);
    }
    case "GenerateCredentialReport":
      return of("GenerateCredentialReport", "<State>COMPLETE</State>");
    case "ListGroupsForUser":
      return of("ListGroupsForUser", "<Groups/><IsTruncated>false</IsTruncated>");
    case "ListAccessKeys":
      return of("ListAccessKeys", "<AccessKeyMetadata/><IsTruncated>false</IsTruncated>");
    default:
      return undefined;
  }
}

/** Types into the search box as a person's last letter does; how long the page was busy with it. */
async function typed(clock, text, shown) {
  const before = await clock();
  await page.getByPlaceholder("Search").evaluate((box, value) => {
    const { set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
    set.call(box, value);
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }, text);
  await seen(shown);
  return (await clock()) - before;
}

/** Milliseconds of processor time that the page has taken, which other programs do not add to. */
async function processorTime() {
  const devtools = await world.context.newCDPSession(page);
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  return async () => {
    const { metrics } = await devtools.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration").value * 1000;
  };
}

async function manyUsers() {
  // What the page before still asks is not counted.
  await page.goto("about:blank");
  const asked = new Map();
  await page.route(`${told.console}/`, async (route) => {
    const form = new URLSearchParams(route.request().postData() ?? "");
    asked.set(form.get("Action"), (asked.get(form.get("Action")) ?? 0) + 1);
    const body = answer(form);
    if (body) await route.fulfill({ contentType: "text/xml", body });
    else await route.continue();
  });
  await visit("/iam/users");
  await seen("(5000)");
  await seen(name(0));
  const clock = await processorTime();
  const times = [];
  for (const [text, shown] of [
    ["u", "5000 matches"],
    ["user-4", "1000 matches"],
    ["user-49", "100 matches"],
    ["user-4999", "1 match"],
    ["", name(19)],
  ])
    times.push(await typed(clock, text, shown));
  console.error(`milliseconds for each letter: ${times.map(Math.round).join(" ")}`);
  await page.getByRole("button", { name: "Last activity" }).click();
  await button("Next page").click();
  await button("Next page").click();
  const rows = await page.getByRole("row").count();
  if (rows > 60) throw new Error(`${rows} rows at once`);
  if (asked.get("ListUsers") !== 5) throw new Error(`ListUsers ${asked.get("ListUsers")} times`);
  const each = (asked.get("ListGroupsForUser") ?? 0) + (asked.get("ListAccessKeys") ?? 0);
  if (each > 240) throw new Error(`${each} questions about single users`);
}

await walk(world, [wrongPassword, noPermission, signOut, endedSession, serverDown, manyUsers]);
