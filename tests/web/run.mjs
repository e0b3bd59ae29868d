// The page of `pixelrnn web` in a headless Chromium: it draws, completes, and agrees with
// `pixelrnn sample`.
//
//     cargo build --release -p pixelrnn-cli
//     node tests/web/run.mjs --pixelrnn target/release/pixelrnn [--model crates/cli/trained/mnist-diagonal]
//         [--screenshots DIR] [--env DIR]
//
// Needs Node 20 with npm, and Chromium. Packages go to a scratch folder (`--env`, by default in the
// folder for temporary files). Run by hand: it takes about a minute.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

const PACKAGES = ["onnxruntime-web@1.30.0", "puppeteer-core@24"];
const text = { type: "string" };
const { values: options } = parseArgs({
  options: {
    pixelrnn: { ...text, default: "target/release/pixelrnn" },
    model: { ...text, default: "crates/cli/trained/mnist-diagonal" },
    env: { ...text, default: path.join(os.tmpdir(), "pixelrnn-web") },
    chromium: { ...text, default: "chromium" },
    screenshots: text,
  },
});

// ---------------------------------------------------------------- what it needs

function install(env) {
  fs.mkdirSync(env, { recursive: true });
  const wanted = PACKAGES.join(" ");
  const done = path.join(env, "installed.txt");
  if (fs.existsSync(done) && fs.readFileSync(done, "utf8") === wanted) return;
  execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", ...PACKAGES], { cwd: env });
  fs.writeFileSync(done, wanted);
}

const pixelrnn = (...given) => execFileSync(options.pixelrnn, given, { stdio: ["ignore", "pipe", "pipe"] });

// A plain file server, which knows no type but of pages: the page must not need more.
function serve(folder, log) {
  const types = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript" };
  const server = http.createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url, "http" + "://localhost").pathname);
    const file = path.join(folder, name === "/" ? "index.html" : path.normalize(name));
    log.push(name);
    if (!fs.existsSync(file)) {
      response.statusCode = 404;
      return response.end();
    }
    response.setHeader("content-type", types[path.extname(file)] ?? "application/octet-stream");
    fs.createReadStream(file).pipe(response);
  });
  return new Promise((ready) => server.listen(0, "localhost", () => ready(server)));
}

// A `.npy` of bytes.
function writeNpy(file, levels, shape) {
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const header = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + "\n";
  const start = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length % 256, header.length >> 8]);
  fs.writeFileSync(file, Buffer.concat([start, Buffer.from(header), Buffer.from(levels)]));
}

// The levels of one.
function npy(file) {
  const bytes = fs.readFileSync(file);
  return [...bytes.subarray(10 + bytes.readUInt16LE(8))];
}

async function idle(page) {
  // A stroke is followed by what it starts.
  await new Promise((resolve) => setTimeout(resolve, 100));
  await page.waitForFunction(() => !window.pixelrnn.busy, { timeout: 120_000 });
}

async function shoot(page, name) {
  const folder = options.screenshots;
  if (folder) await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}

// ---------------------------------------------------------------- checks

// The same seed gives the images of `pixelrnn sample`.
async function agrees(page, folder, model) {
  const count = 4;
  for (const temperature of [1, 0.7]) {
    const file = path.join(folder, `samples-${temperature}.npy`);
    const classes = model.label ? ["--label", "1"] : [];
    pixelrnn("sample", options.model, "-n", String(count), "-o", file, "--seed", "7", ...classes,
      "--temperature", String(temperature));
    const drawn = await page.evaluate(async (count, temperature) => {
      const uniform = window.pixelrnn.uniform(7, count);
      const labels = new Array(count).fill(1);
      const began = performance.now();
      const levels = await window.pixelrnn.draw({ count, uniform, labels, temperature });
      return { levels: Array.from(levels), ms: performance.now() - began };
    }, count, temperature);
    const expected = npy(file);
    assert.equal(drawn.levels.length, expected.length);
    const different = drawn.levels.filter((level, i) => level !== expected[i]).length;
    const ink = drawn.levels.filter((level) => level > 0).length;
    console.log(`temperature ${temperature}: ${count} images in ${drawn.ms.toFixed(0)} ms, ${ink} values ` +
      `above 0, ${different} of ${expected.length} differ from \`pixelrnn sample\``);
    assert.ok(ink > 0, "the images are blank");
    assert.equal(different, 0);
  }
}

// Completions are those of `pixelrnn sample --complete`, and rows come one after another.
async function completes(page, folder, { image: { height, width, colors, levels }, label }) {
  const count = 3;
  const values = height * width * colors;
  const rows = Math.floor(height / 2);
  const one = Array.from({ length: values }, (_, i) => (Math.floor(i / colors) % 5 < 2 ? levels - 1 : 0));
  const [given, out] = ["given.npy", "completed.npy"].map((name) => path.join(folder, name));
  writeNpy(given, one, [1, height, width, colors]);
  pixelrnn("sample", options.model, "--complete", `npy:${given},levels=${levels}`, "--keep-rows", String(rows), "-n", "1",
    "--completions", String(count), "--seed", "5", "-o", out, ...(label ? ["--label", "1"] : []));
  const result = await page.evaluate(async (one, count, kept) => {
    const given = Float32Array.from({ length: count * one.length }, (_, i) => one[i % one.length]);
    const mask = given.map((_, i) => (i % one.length < kept ? 1 : 0));
    const uniform = window.pixelrnn.uniform(5, count, true);
    const labels = new Array(count).fill(1);
    const heard = [];
    const onRow = (_, y) => heard.push(y);
    const drawn = await window.pixelrnn.draw({ count, uniform, given, mask, labels, onRow });
    return { drawn: Array.from(drawn), heard };
  }, one, count, rows * width * colors);
  assert.deepEqual(result.heard, Array.from({ length: height }, (_, y) => y + 1));
  const expected = npy(out);
  const different = result.drawn.filter((level, i) => level !== expected[i]).length;
  console.log(`${count} completions: ${different} of ${expected.length} values differ from \`pixelrnn sample\``);
  assert.equal(result.drawn.length, expected.length);
  assert.equal(different, 0);
}

// A person draws with the mouse, then with keys.
async function byHand(page, height) {
  await page.$eval("#color", (input) => (input.value = "#ffffff"));
  const board = await page.$("#board");
  await board.scrollIntoView();
  const box = await board.boundingBox();
  const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
  const before = await page.$eval("#board", (canvas) => canvas.toDataURL());
  await page.mouse.move(...at(0.31, 0.36));
  await page.mouse.down();
  // The upper half of a digit.
  for (let i = 1; i <= 16; i++) {
    const angle = Math.PI * (1 - i / 16);
    await page.mouse.move(...at(0.5 + 0.19 * Math.cos(angle), 0.36 - 0.16 * Math.sin(angle)));
  }
  await page.mouse.move(...at(0.66, 0.48), { steps: 4 });
  await page.mouse.up();
  await idle(page);
  const lit = () => page.$eval("#board", (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height / 2);
    let lit = 0;
    for (let i = 0; i < data.length; i += 4) lit += data[i] > 200 && data[i + 2] > 200;
    return lit;
  });
  const drawn = await lit();
  assert.ok(drawn > 0, "the mouse draws nothing");
  assert.notEqual(await page.$eval("#board", (canvas) => canvas.toDataURL()), before);
  assert.match(await page.$eval("#speed", (line) => line.textContent), /images? in .* pixels\/s/);
  // Each image of the grid is full, and begins with the drawing.
  const tops = await page.$$eval("#drawn canvas", (all, rows) => all.map((canvas) =>
    canvas.getContext("2d").getImageData(0, 0, canvas.width, rows).data.join()), Math.floor(height / 2));
  assert.ok(tops.every((top) => top === tops[0]), "completions differ above the line");
  await shoot(page, "completed");
  await page.focus("#board");
  await page.keyboard.press("ArrowUp");
  for (let i = 0; i < 4; i++) {
    await page.keyboard.down("Shift");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.up("Shift");
  }
  await page.keyboard.press("Space");
  assert.match(await page.$eval("#spoken", (line) => line.textContent), /Row \d+, column \d+: drawn/);
  await new Promise((resolve) => setTimeout(resolve, 700));
  await idle(page);
  assert.ok((await lit()) > drawn, "keys draw nothing");
}

// A run is stopped between two pixels, and the next one is whole.
async function stops(page) {
  const status = () => page.$eval("#speed", (line) => line.textContent);
  await page.$eval("#draw", (button) => button.click());
  await page.waitForFunction(() => document.querySelector("#speed").textContent.startsWith("Row"));
  assert.equal(await page.$eval("#complete", (button) => button.textContent), "Stop");
  await page.$eval("#complete", (button) => button.click());
  await idle(page);
  assert.equal(await status(), "Stopped");
  for (let i = 0; i < 3; i++) await page.$eval("#draw", (button) => button.click());
  await page.waitForFunction(() => document.querySelector("#speed").textContent.includes("images/s"));
}

// Opened as a file, the page says what to do.
async function fromFile(site) {
  const page = await chromium.newPage();
  await page.goto(`${"file:"}${"//"}${path.join(site, "index.html")}`);
  await page.waitForFunction(() => !document.querySelector("#error").hidden);
  assert.match(await page.$eval("#error", (line) => line.textContent), /http\.server/);
  await page.close();
}

async function byFinger(page) {
  const board = await page.$("#board");
  await board.evaluate((canvas) => canvas.scrollIntoView({ block: "center" }));
  const box = await board.boundingBox();
  const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
  const before = await page.$eval("#board", (canvas) => canvas.toDataURL());
  await page.touchscreen.touchStart(...at(0.62, 0.2));
  for (let i = 1; i <= 12; i++) {
    const angle = (i / 12) * 1.2 * Math.PI;
    await page.touchscreen.touchMove(...at(0.5 + 0.13 * Math.cos(angle), 0.27 - 0.1 * Math.sin(angle)));
  }
  await page.touchscreen.touchEnd();
  await idle(page);
  assert.notEqual(await page.$eval("#board", (canvas) => canvas.toDataURL()), before, "a finger draws nothing");
}

// Every control has a name and is reached with the tabulator.
async function reachable(page) {
  const wanted = await page.$$eval("button, select, input, canvas[tabindex]", (all) =>
    all.filter((one) => one.offsetParent && !one.disabled && !(one.type === "radio" && !one.checked))
      .map((one, i) => {
        const named = one.labels?.[0]?.textContent.trim() || one.textContent.trim() ||
          one.getAttribute("aria-label") || one.getAttribute("aria-labelledby");
        one.dataset.test = i;
        return named ? String(i) : `no name: ${one.outerHTML}`;
      }));
  assert.deepEqual(wanted.filter((one) => one.startsWith("no name")), []);
  const seen = new Set();
  await page.evaluate(() => document.activeElement?.blur());
  for (let i = 0; i < wanted.length + 5; i++) {
    await page.keyboard.press("Tab");
    seen.add(await page.evaluate(() => document.activeElement?.dataset.test));
  }
  assert.deepEqual(wanted.filter((one) => !seen.has(one)), []);
}

const VIEWS = [
  { name: "desktop", width: 1180, height: 860, scheme: "light" },
  { name: "dark", width: 1180, height: 860, scheme: "dark" },
  { name: "phone", width: 390, height: 844, scheme: "light" },
  { name: "phone-dark", width: 320, height: 700, scheme: "dark" },
];

// No width needs scrolling sideways; a finger draws.
async function looks(page) {
  for (const { name, width, height, scheme } of VIEWS) {
    const phone = width < 500;
    // A change of touch loads the page again.
    await page.setViewport({ width, height, hasTouch: phone, isMobile: phone, deviceScaleFactor: phone ? 2 : 1 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.waitForFunction(() => window.pixelrnn !== undefined);
    await page.evaluate(() => window.pixelrnn.ready);
    await idle(page);
    if (phone) await byFinger(page);
    await page.evaluate(() => document.activeElement?.blur());
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${name}: ${wide} pixels wide`);
    await shoot(page, name);
  }
}

// ---------------------------------------------------------------- the run

install(options.env);
const puppeteer = createRequire(path.join(options.env, "package.json"))("puppeteer-core");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "pixelrnn-page-"));
const site = path.join(folder, "page");
console.log(pixelrnn("web", options.model, "-o", site, "--ort-web",
  path.join(options.env, "node_modules/onnxruntime-web")).toString().trim());
const log = [];
const server = await serve(site, log);
const which = (name) => execFileSync("which", [name]).toString().trim();
const chromium = await puppeteer.launch({
  executablePath: options.chromium.includes("/") ? options.chromium : which(options.chromium),
  headless: true,
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const page = await chromium.newPage();
  await page.setViewport({ width: 1100, height: 860 });
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("console", (line) => {
    // The last is about this script.
    const said = ["error", "warning", "warn"].includes(line.type()) && !line.text().includes("willReadFrequently");
    if (said) wrong.push(line.text());
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.hostname !== "localhost" && url.protocol !== "data:") wrong.push(request.url());
  });
  await page.goto(`${"http:"}${"//"}localhost:${server.address().port}/`);
  await page.waitForFunction(() => window.pixelrnn !== undefined);
  await page.evaluate(() => window.pixelrnn.ready);
  if (options.screenshots) fs.mkdirSync(options.screenshots, { recursive: true });
  await shoot(page, "first");
  await idle(page);
  console.log("first images:", await page.$eval("#speed", (line) => line.textContent));
  console.log(await page.$eval("#weights", (line) => line.textContent));
  const model = await page.evaluate(() => window.pixelrnn.model);
  await agrees(page, folder, model);
  await completes(page, folder, model);
  await byHand(page, model.image.height);
  await reachable(page);
  if (model.image.height > 20) await stops(page);
  await fromFile(site);
  await looks(page);
  assert.deepEqual(wrong, []);
  const missing = fs.readdirSync(site, { recursive: true }).filter((name) =>
    fs.statSync(path.join(site, name)).isFile() && name !== "index.html" && !log.includes(`/${name}`));
  assert.deepEqual(missing, [], "files that the page does not read");
  console.log("the page draws, completes, and agrees");
} finally {
  await chromium.close();
  server.close();
  fs.rmSync(folder, { recursive: true });
}
