// What a script of an attacker tries in another person's browser: credentials of the console, its pages,
// and deeds in its name. `globalThis.told` says where the console and the API are.
document.title = "running";
const { console: CONSOLE, endpoint: API } = globalThis.told;
const report = { loot: [], tried: 0 };
globalThis.report = report;

const JSON_OF_OURS = { "content-type": "application/json", "x-keywright-console": "1" };
const REQUESTS = [
  ["POST", "api/credentials", JSON_OF_OURS, "{}"],
  ["POST", "api/credentials", { "content-type": "text/plain" }, "{}"],
  ["POST", "api/credentials", {}, "{}"],
  ["POST", "api/sign-out", { "content-type": "text/plain" }, "{}"],
  ["POST", "api/sign-out", JSON_OF_OURS, "{}"],
  ["GET", "api/session", {}],
  ["GET", "api/capabilities", {}],
  ["GET", "", {}],
];

/** Whether a text is worth something. */
const worth = (text) => /ASIA|secretAccessKey|signed-in|"iam"|id="root"/.test(text);

async function attempt(name, deed) {
  report.tried += 1;
  try {
    const text = await deed();
    if (typeof text === "string" && worth(text)) report.loot.push(`${name}: ${text.slice(0, 80)}`);
  } catch {
    // Refused by the browser, as it should be.
  }
}

async function requests() {
  const all = [];
  for (const origin of [location.origin, CONSOLE, API]) {
    for (const mode of ["cors", "no-cors", "same-origin"]) {
      for (const [method, path, headers, body] of REQUESTS) {
        const deed = async () => {
          const signal = AbortSignal.timeout(5_000);
          const init = { method, headers, body, mode, signal, credentials: "include" };
          const answer = await fetch(`${origin}/console/${path}`, init);
          return answer.text();
        };
        all.push(attempt(`${mode} ${method} ${origin} ${path}`, deed));
      }
    }
  }
  await Promise.all(all);
  navigator.sendBeacon(`${CONSOLE}/console/api/sign-out`, "{}");
}

const loaded = (element) =>
  new Promise((go) => {
    element.onload = element.onerror = () => go(element);
    document.documentElement.append(element);
    setTimeout(go, 3_000, element);
  });

/** Frames and what else embeds a page: neither read nor drawn. */
async function embedded() {
  const all = [];
  for (const path of ["/console/", "/console/api/session", "/console/api/credentials", "/"]) {
    for (const kind of ["iframe", "object", "embed", "script", "img"]) {
      const deed = async () => {
        const element = document.createElement(kind);
        element[kind === "object" ? "data" : "src"] = `${CONSOLE}${path}`;
        await loaded(element);
        return element.contentDocument?.documentElement.outerHTML;
      };
      all.push(attempt(`${kind} ${path}`, deed));
    }
  }
  await Promise.all(all);
}

/** A form needs no permission to send cookies along; its answer comes into a frame. */
async function forms() {
  for (const endpoint of ["credentials", "sign-out"]) {
    for (const enctype of ["text/plain", "application/x-www-form-urlencoded"]) {
      await attempt(`form ${enctype} ${endpoint}`, async () => {
        const frame = document.createElement("iframe");
        frame.name = `${endpoint}${enctype}`;
        await loaded(frame);
        const form = document.createElement("form");
        Object.assign(form, { method: "POST", enctype, target: frame.name });
        form.action = `${CONSOLE}/console/api/${endpoint}`;
        const field = document.createElement("input");
        [field.name, field.value] = ['{"a":"', '"}'];
        form.append(field);
        document.documentElement.append(form);
        const answered = new Promise((go) => (frame.onload = go) && setTimeout(go, 3_000));
        form.submit();
        await answered;
        return frame.contentDocument?.documentElement.outerHTML;
      });
    }
  }
}

/** A window that it has opened. */
async function windows() {
  await attempt("window", async () => {
    const opened = open(`${CONSOLE}/console/`);
    await new Promise((go) => setTimeout(go, 1_000));
    const html = opened.document.documentElement.outerHTML;
    opened.close();
    return html;
  });
  await attempt("cookies", () => document.cookie && `signed-in with ${document.cookie}`);
}

requests()
  .then(embedded)
  .then(forms)
  .then(windows)
  .then(() => (document.title = "done"));
