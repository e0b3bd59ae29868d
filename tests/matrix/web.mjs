// onnxruntime-web on the jobs of run.py: in Node, or in the browser that is the third argument.
//
//     node web.mjs jobs.json results.json [chromium]
//
// A job is a model's path and its inputs, each with the path of its raw numbers. A result is its
// outputs, or an error's text. A copy of this file lies beside node_modules.

import fs from "node:fs";
import http from "node:http";
import path from "node:path";

const [jobsPath, outPath, browser] = process.argv.slice(2);
const jobs = JSON.parse(fs.readFileSync(jobsPath, "utf8"));
const arrays = { float32: Float32Array, int64: BigInt64Array };

async function run(ort, job, read) {
  try {
    const model = new Uint8Array(await read(job.model));
    const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
    const feeds = {};
    for (const [name, input] of Object.entries(job.inputs)) {
      const data = new arrays[input.type](await read(input.file));
      feeds[name] = new ort.Tensor(input.type, data, input.dims);
    }
    const results = await session.run(feeds);
    const outputs = {};
    for (const [name, tensor] of Object.entries(results)) {
      outputs[name] = { dims: tensor.dims, data: Array.from(tensor.data, String) };
    }
    await session.release();
    return { outputs };
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
}

async function inNode() {
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = 1;
  const read = async (file) => {
    const bytes = fs.readFileSync(file);
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  };
  const results = [];
  for (const job of jobs) results.push(await run(ort, job, read));
  return results;
}

async function inBrowser() {
  const puppeteer = (await import("puppeteer-core")).default;
  const dist = path.resolve(import.meta.dirname ?? ".", "node_modules/onnxruntime-web/dist");
  const known = new Set(jobs.flatMap((j) => [j.model, ...Object.values(j.inputs).map((i) => i.file)]));
  const types = { ".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, "http" + "://localhost");
    const file = url.searchParams.get("file");
    if (url.pathname === "/page.html") {
      response.setHeader("content-type", "text/html");
      return response.end("<!doctype html><title>matrix</title>");
    }
    const place = file ?? path.join(dist, path.basename(url.pathname));
    if ((file && !known.has(file)) || !fs.existsSync(place)) {
      response.statusCode = 404;
      return response.end();
    }
    response.setHeader("content-type", types[path.extname(place)] ?? "application/octet-stream");
    fs.createReadStream(place).pipe(response);
  });
  await new Promise((ready) => server.listen(0, "localhost", ready));
  const port = server.address().port;
  const chromium = await puppeteer.launch({
    executablePath: browser,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu"],
    protocolTimeout: 1_200_000,
  });
  const page = await chromium.newPage();
  await page.goto(`${"http:"}${"//"}localhost:${port}/page.html`);
  const results = await page.evaluate(
    async (jobs, source) => {
      const ort = await import("/ort.wasm.min.mjs");
      ort.env.wasm.numThreads = 1;
      const arrays = { float32: Float32Array, int64: BigInt64Array };
      const run = new Function("arrays", `return ${source}`)(arrays);
      const read = async (file) =>
        (await fetch(`/data?file=${encodeURIComponent(file)}`)).arrayBuffer();
      const results = [];
      for (const job of jobs) results.push(await run(ort, job, read));
      return results;
    },
    jobs,
    run.toString(),
  );
  await chromium.close();
  server.close();
  return results;
}

const results = await (browser ? inBrowser() : inNode());
fs.writeFileSync(outPath, JSON.stringify(results));
