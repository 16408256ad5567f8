// Headless Chromium through its DevTools protocol: goes where a person goes, by mouse and keyboard, with scripts off.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answer, told } from "./story.mjs";

const { chromium, steps } = await told();
const profile = mkdtempSync(join(tmpdir(), "chromium-"));
const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en-US"];
const child = spawn(chromium, [...flags, "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"]);

const address = await new Promise((found) => {
  let said = "";
  child.stderr.on("data", (part) => {
    said += part;
    const match = said.match(/DevTools listening on (ws:\S+)/);
    if (match) found(match[1]);
  });
});
const socket = new WebSocket(address);
await new Promise((open) => (socket.onopen = open));

let number = 0;
const waiting = new Map();
const listening = new Map();
const violations = [];
socket.onmessage = ({ data }) => {
  const { id, result, error, method, params } = JSON.parse(data);
  if (id) {
    const { resolve, reject } = waiting.get(id);
    return error ? reject(new Error(error.message)) : resolve(result);
  }
  if (method === "Log.entryAdded" && params.entry.source === "security") violations.push(params.entry.text);
  listening.get(method)?.(params);
};

let sessionId;
function call(method, params = {}) {
  socket.send(JSON.stringify({ id: ++number, method, params, sessionId }));
  return new Promise((resolve, reject) => waiting.set(number, { resolve, reject }));
}

const { targetInfos } = await call("Target.getTargets");
const page = targetInfos.find((each) => each.type === "page");
({ sessionId } = await call("Target.attachToTarget", { targetId: page.targetId, flatten: true }));
for (const domain of ["Page", "DOM", "Log", "Network"]) await call(`${domain}.enable`);
await call("Emulation.setScriptExecutionDisabled", { value: true });
await call("Emulation.setUserAgentOverride", { userAgent: "Chromium", acceptLanguage: "en" });

async function loaded(act) {
  const done = new Promise((resolve) => listening.set("Page.loadEventFired", resolve));
  await act();
  await done;
}

async function find(selector) {
  const { root } = await call("DOM.getDocument");
  const { nodeId } = await call("DOM.querySelector", { nodeId: root.nodeId, selector });
  if (!nodeId) throw new Error(`no ${selector}: ${await html()}`);
  return nodeId;
}

async function html() {
  const { root } = await call("DOM.getDocument");
  return (await call("DOM.getOuterHTML", { nodeId: root.nodeId })).outerHTML;
}

async function click(selector) {
  const nodeId = await find(selector);
  await call("DOM.scrollIntoViewIfNeeded", { nodeId });
  const { quads } = await call("DOM.getContentQuads", { nodeId });
  const [x, y] = [(quads[0][0] + quads[0][2]) / 2, (quads[0][1] + quads[0][5]) / 2];
  for (const type of ["mousePressed", "mouseReleased"])
    await call("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
}

/** Each step does one thing, and is answered with what is seen after it. */
async function step({ go, type, into, press, shot, width = 1000, lang }) {
  await call("Emulation.setDeviceMetricsOverride", { width, height: 760, deviceScaleFactor: 1, mobile: false });
  if (go) await loaded(() => call("Page.navigate", { url: go }));
  if (type) {
    await call("DOM.focus", { nodeId: await find(into) });
    await call("Input.insertText", { text: type });
  }
  if (press) await loaded(() => click(press));
  if (shot) {
    const { data } = await call("Page.captureScreenshot", { format: "png" });
    writeFileSync(shot, Buffer.from(data, "base64"));
  }
  const { currentIndex, entries } = await call("Page.getNavigationHistory");
  const { cssContentSize, cssLayoutViewport } = await call("Page.getLayoutMetrics");
  const { cookies } = await call("Network.getCookies");
  return {
    url: entries[currentIndex].url,
    html: await html(),
    cookies,
    wider: cssContentSize.width > cssLayoutViewport.clientWidth,
  };
}

let fault;
try {
  const seen = [];
  for (const each of steps) seen.push(await step(each));
  answer({ seen, violations });
} catch (error) {
  fault = error;
}
const gone = new Promise((resolve) => child.on("exit", resolve));
child.kill();
await gone;
rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
if (fault) throw fault;
process.exit();
