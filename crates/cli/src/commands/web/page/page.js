// The page: a board to draw on, a grid of images drawn by the model, and the controls.

import { uniform } from "./random.js";
import { Sampler } from "./sampler.js";

const $ = (id) => document.getElementById(id);
const next = () => new Promise((resolve) => setTimeout(resolve));

// ---------------------------------------------------------------- files

async function read(file, heard) {
  const response = await fetch(new URL(file, import.meta.url));
  if (!response.ok) throw new Error(`cannot read ${file}: ${response.status} ${response.statusText}`);
  const parts = [];
  let length = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    heard?.((length += part.value.length));
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function runtime({ script, wasm }) {
  let ort;
  try {
    ort = await import(new URL(script, import.meta.url));
  } catch (error) {
    throw new Error(`cannot load ONNX Runtime from ${script}: ${error.message}`);
  }
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
  ort.env.wasm.wasmBinary = await read(wasm, (n) => say(`Loading ONNX Runtime: ${megabytes(n)} MB`));
  // Threads would need HTTP headers that a plain file server does not send, and such small calls would
  // not be faster.
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  return ort;
}

// ---------------------------------------------------------------- state

let model, sampler, image, values;
// The drawing of the visitor: levels [height, width, colors].
let drawing;
// The image whose lower rows the board shows below the line; null for none.
let shown = null;
const cursor = { y: 0, x: 0, on: false };
let running = null;
// A promise that settles when the previous run has stopped.
let finished = Promise.resolve();

const say = (text) => ($("speed").textContent = text);
const number = (id) => Number($(id).value);
const kept = () => number("kept");

function fail(error) {
  $("error").hidden = false;
  $("error").textContent = `Something went wrong: ${error.message}`;
  say("");
  console.error(error);
}

// ---------------------------------------------------------------- pictures

// The color of a pixel, with values from 0 to 255.
function shade(levels, at) {
  const scale = 255 / (image.levels - 1);
  if (image.colors === 3) return [0, 1, 2].map((c) => levels[at + c] * scale);
  let sum = 0;
  for (let c = 0; c < image.colors; c++) sum += levels[at + c];
  return new Array(3).fill((sum / image.colors) * scale);
}

function paintImage(canvas, levels, start, rows) {
  const { height, width, colors } = image;
  canvas.width = width;
  canvas.height = height;
  const picture = new ImageData(width, height);
  for (let i = 0; i < rows * width; i++) picture.data.set([...shade(levels, start + i * colors), 255], i * 4);
  for (let i = rows * width; i < height * width; i++) picture.data.set([58, 66, 78, 255], i * 4);
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function paintBoard() {
  const { height, width, colors } = image;
  const board = $("board");
  const cx = board.getContext("2d");
  // As many pixels as the screen has, so that lines are sharp.
  board.width = Math.round((board.clientWidth || 400) * (window.devicePixelRatio || 1));
  board.height = Math.round((board.width * height) / width);
  const left = (x) => Math.round((x * board.width) / width);
  const top = (y) => Math.round((y * board.height) / height);
  const line = kept();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * colors;
      const levels = y < line ? drawing : shown && y < shown.rows ? shown.levels : null;
      cx.fillStyle = levels ? `rgb(${shade(levels, at).map(Math.round).join(" ")})` : "rgb(38 44 53)";
      cx.fillRect(left(x), top(y), left(x + 1) - left(x), top(y + 1) - top(y));
    }
  }
  const thin = Math.max(1, Math.round(board.width / 600));
  cx.fillStyle = "rgb(128 140 156 / 0.22)";
  for (let x = 1; x < width; x++) cx.fillRect(left(x), 0, thin, board.height);
  for (let y = 1; y < height; y++) cx.fillRect(0, top(y), board.width, thin);
  if (line < height) {
    cx.fillStyle = "#ffb000";
    cx.fillRect(0, Math.max(0, top(line) - thin), board.width, 3 * thin);
  }
  invite(cx, top(line), board);
  if (cursor.on) {
    const [x, y] = [left(cursor.x), top(cursor.y)];
    cx.strokeStyle = "#3d9bff";
    cx.lineWidth = 3 * thin;
    cx.strokeRect(x, y, left(cursor.x + 1) - x, top(cursor.y + 1) - y);
  }
}

// Writes an invitation on the empty board.
function invite(cx, line, { width, height }) {
  cx.font = `${Math.round(width / 18)}px system-ui, sans-serif`;
  cx.fillStyle = "rgb(190 199 210)";
  cx.textAlign = "center";
  cx.textBaseline = "middle";
  const room = height / 8;
  if (line > room && drawing.every((level) => level === 0)) cx.fillText("Draw here", width / 2, line / 2);
  if (height - line > room && !shown) cx.fillText("The model continues here", width / 2, (line + height) / 2);
}

// ---------------------------------------------------------------- drawing by hand

function ink() {
  if ($("tool-eraser").checked) return new Array(image.colors).fill(0);
  const top = image.levels - 1;
  if (image.colors === 3) {
    const hex = $("color").value;
    return [1, 3, 5].map((i) => Math.round((parseInt(hex.slice(i, i + 2), 16) / 255) * top));
  }
  return new Array(image.colors).fill(image.levels > 2 ? number("level") : top);
}

function dot(y, x) {
  const { width, colors } = image;
  const brush = number("brush");
  const color = ink();
  const before = Math.floor((brush - 1) / 2);
  for (let dy = -before; dy < brush - before; dy++) {
    for (let dx = -before; dx < brush - before; dx++) {
      if (y + dy < 0 || y + dy >= kept() || x + dx < 0 || x + dx >= width) continue;
      drawing.set(color, ((y + dy) * width + x + dx) * colors);
    }
  }
}

// Draws a line between two positions, without gaps.
function stroke(from, to) {
  const steps = Math.max(1, Math.abs(to.y - from.y), Math.abs(to.x - from.x));
  for (let i = 0; i <= steps; i++) {
    const between = (a, b) => Math.round(a + ((b - a) * i) / steps);
    dot(between(from.y, to.y), between(from.x, to.x));
  }
  paintBoard();
}

function pointer() {
  const board = $("board");
  let last = null;
  const place = (event) => {
    const box = board.getBoundingClientRect();
    return {
      y: Math.floor(((event.clientY - box.top) / box.height) * image.height),
      x: Math.floor(((event.clientX - box.left) / box.width) * image.width),
    };
  };
  board.addEventListener("pointerdown", (event) => {
    board.setPointerCapture(event.pointerId);
    // A run in progress must not restore rows of an earlier image.
    stop();
    cursor.on = false;
    last = place(event);
    stroke(last, last);
  });
  board.addEventListener("pointermove", (event) => {
    if (!last) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const now = place(one);
      stroke(last, now);
      last = now;
    }
  });
  const end = () => {
    if (last) stroked();
    last = null;
  };
  board.addEventListener("pointerup", end);
  board.addEventListener("pointercancel", end);
}

function keyboard() {
  const board = $("board");
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  let waiting;
  board.addEventListener("focus", () => {
    cursor.on = board.matches(":focus-visible");
    paintBoard();
  });
  board.addEventListener("blur", () => {
    cursor.on = false;
    paintBoard();
  });
  board.addEventListener("keydown", (event) => {
    const [dy, dx] = moves[event.key] ?? [0, 0];
    const erase = event.key === "Delete" || event.key === "Backspace";
    const paint = event.key === " " || event.key === "Enter" || erase || event.shiftKey;
    if (!moves[event.key] && (!paint || event.key === "Shift" || event.key === "Tab")) return;
    event.preventDefault();
    cursor.on = true;
    const from = { ...cursor };
    cursor.y = Math.min(image.height - 1, Math.max(0, cursor.y + dy));
    cursor.x = Math.min(image.width - 1, Math.max(0, cursor.x + dx));
    if (paint) {
      stop();
      const tool = $("tool-eraser").checked;
      if (erase) $("tool-eraser").checked = true;
      stroke(from, cursor);
      if (erase && !tool) $("tool-pencil").checked = true;
      clearTimeout(waiting);
      waiting = setTimeout(stroked, 600);
    } else {
      paintBoard();
    }
    const at = cursor.y * image.width + cursor.x;
    const full = drawing.subarray(at * image.colors, (at + 1) * image.colors).some((v) => v > 0);
    const state = cursor.y >= kept() ? "the model’s" : full ? "drawn" : "empty";
    $("spoken").textContent = `Row ${cursor.y + 1}, column ${cursor.x + 1}: ${state}`;
  });
}

function stroked() {
  if ($("live").checked) start(true);
}

// ---------------------------------------------------------------- drawing by the model

function stop() {
  running?.abort();
}

function cells(count) {
  const grid = $("drawn");
  grid.style.gridTemplateColumns = `repeat(${Math.ceil(Math.sqrt(count))}, 1fr)`;
  if (grid.children.length === count) return [...grid.querySelectorAll("canvas")];
  grid.replaceChildren();
  return Array.from({ length: count }, (_, n) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Image ${n + 1}: put it on the board`);
    button.addEventListener("click", () => adopt(n));
    button.append(document.createElement("canvas"));
    grid.append(button);
    return button.firstChild;
  });
}

// The images in the grid.
let latest = null;

function adopt(n) {
  if (!latest) return;
  const levels = latest.levels.slice(n * values, (n + 1) * values);
  drawing.set(levels);
  shown = { levels, rows: image.height };
  if (kept() === 0) keep(Math.floor(image.height / 2));
  paintBoard();
}

function labels(count) {
  if (!model.label) return undefined;
  const chosen = $("label").value;
  const { classes } = model.label;
  return Array.from({ length: count }, (_, n) => (chosen === "each" ? n % classes : Number(chosen)));
}

async function start(completes) {
  stop();
  const control = (running = new AbortController());
  const before = finished;
  let finish;
  finished = new Promise((resolve) => (finish = resolve));
  await before;
  if (!control.signal.aborted) await run(completes, control.signal);
  finish();
  if (running === control) {
    running = null;
    buttons(false);
  }
}

async function run(completes, signal) {
  if ($("reseed").checked && latest) $("seed").value = Math.floor(Math.random() * 1e6);
  const count = number("count");
  const rows = completes ? kept() : 0;
  const given = new Float32Array(count * values);
  const mask = new Float32Array(count * values);
  for (let n = 0; n < count; n++) {
    given.set(drawing, n * values);
    mask.fill(1, n * values, n * values + rows * image.width * image.colors);
  }
  const canvases = cells(count);
  let painting = performance.now();
  const onRow = (levels, y) => {
    latest = { levels };
    canvases.forEach((canvas, n) => paintImage(canvas, levels, n * values, y));
    if (completes) {
      shown = { levels, rows: y };
      paintBoard();
    }
    say(`Row ${y} of ${image.height}`);
    painting = 0;
  };
  // Gives the browser time to show new rows and to react to buttons.
  const pause = async () => {
    if (performance.now() - painting < 24) return;
    await next();
    painting = performance.now();
  };
  buttons(true);
  const began = performance.now();
  try {
    await sampler.draw({
      count, given, mask, onRow, pause,
      uniform: uniform(Math.trunc(number("seed")), count, values, completes),
      labels: labels(count),
      temperature: number("temperature"),
      signal,
    });
    const time = (performance.now() - began) / 1000;
    const each = (n) => Number((n / time).toPrecision(2)).toLocaleString("en");
    say(`${count} ${count === 1 ? "image" : "images"} in ${time.toFixed(2)} s: ${each(count)} images/s, ` +
      `${each(count * image.width * image.height)} pixels/s`);
    // A slow model should not run after each stroke.
    if (time > 5) $("live").checked = false;
  } catch (error) {
    if (!signal.aborted) fail(error);
    else say("Stopped");
  }
}

function buttons(busy) {
  // Screen readers should read the text only at the end.
  $("speed").setAttribute("aria-busy", busy);
  $("complete").textContent = busy ? "Stop" : "Complete my drawing";
  for (const id of ["complete", "draw", "clear"]) $(id).disabled = false;
}

// ---------------------------------------------------------------- start

function keep(rows) {
  $("kept").value = rows;
  $("kept-value").textContent = rows;
}

function controls() {
  const { height, width, colors, levels } = image;
  $("kept").max = height;
  keep(Math.floor(height / 2));
  $("brush").value = Math.max(width, height) >= 20 ? 2 : 1;
  cursor.y = Math.floor(height / 4);
  cursor.x = Math.floor(width / 2);
  if (colors === 3) $("color-field").hidden = false;
  else if (levels > 2) {
    $("level-field").hidden = false;
    $("level").max = $("level").value = levels - 1;
  }
  if (model.label) {
    $("label-field").hidden = false;
    const { name, classes } = model.label;
    $("label-name").textContent = name[0].toUpperCase() + name.slice(1);
    $("label").add(new Option("One of each", "each"));
    for (let k = 0; k < classes; k++) $("label").add(new Option(k, k));
  }
  $("kept").addEventListener("input", () => {
    keep(kept());
    paintBoard();
  });
  const level = () => ($("level-value").textContent = number("level"));
  $("level").addEventListener("input", level);
  level();
  const warm = () => ($("temperature-value").textContent = number("temperature").toFixed(2));
  $("temperature").addEventListener("input", warm);
  warm();
  $("seed").addEventListener("input", () => ($("reseed").checked = false));
  $("complete").addEventListener("click", () => (running ? stop() : start(true)));
  $("draw").addEventListener("click", () => {
    start(false);
  });
  $("clear").addEventListener("click", () => {
    stop();
    drawing.fill(0);
    shown = null;
    paintBoard();
  });
  new ResizeObserver(paintBoard).observe($("board"));
  pointer();
  keyboard();
}

async function load() {
  const began = performance.now();
  model = JSON.parse(new TextDecoder().decode(await read("model.json")));
  ({ image } = model);
  values = image.height * image.width * image.colors;
  drawing = new Float32Array(values);
  const colors = image.colors === 1 ? "" : `${image.colors} colors, `;
  document.title = `${model.model}: pixelrnn`;
  $("name").textContent = model.model;
  $("about").textContent = `${model.doc ? `${model.doc.trim().replace(/\.$/, "")}. ` : ""}` +
    `${image.height} × ${image.width} pixels, ${colors}${image.levels} levels, ` +
    `${model.parameters.toLocaleString("en")} weights${model.trained ? "" : ", not trained"}`;
  if (model.onnxruntime.version) $("runtime").textContent = `ONNX Runtime ${model.onnxruntime.version}`;
  controls();
  paintBoard();
  const ort = await runtime(model.onnxruntime);
  say("Loading the model");
  sampler = await Sampler.load(ort, model, read);
  $("weights").textContent = `Loaded in ${((performance.now() - began) / 1000).toFixed(1)} s.`;
}

// For scripts: `draw` has the arguments of `Sampler.draw`, `uniform` has (seed, count, completions).
const ready = load();
window.pixelrnn = {
  ready,
  get model() { return model; },
  get busy() { return running !== null; },
  draw: async (request) => (await ready, sampler.draw(request)),
  uniform: (seed, count, completions) => uniform(seed, count, values, completions),
};
ready.then(() => start(false)).catch(fail);
