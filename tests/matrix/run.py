"""Which engines and tools take what `pixelrnn export` writes, with the same numbers.

    cargo build --release -p pixelrnn-cli
    python3 tests/matrix/run.py --pixelrnn target/release/pixelrnn --out docs/src/matrix.md

Needs Python 3.10 or newer with `venv`; Node with `npm`, and Chromium, for onnxruntime-web. The rest is
installed into a scratch environment (`--env`, by default in the folder for temporary files), and nothing
else is touched. Run by hand: it takes some twenty minutes on two cores, most of it IREE. What an engine
found is kept in the environment for the same program, so that `--engines` can run some of them again.

Reference values come from ONNX Runtime, unoptimized, on the graph with `Scan` and an open batch; for
`forward`, `nll`, `grad` and `train` `pixelrnn compare` holds that against the reference interpreter, and
for `sample` `pixelrnn sample` does.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = ["numpy", "onnx", "onnxruntime", "openvino", "iree-base-compiler", "iree-base-runtime",
            "onnxsim", "onnxconverter-common", "sympy"]
NODE_PACKAGES = ["onnxruntime-web", "puppeteer-core"]
KINDS = ["forward", "nll", "grad", "train", "sample", "step", "row"]
TRAINING = ("grad", "train")
SIZE = ["h=4", "layers=1", "height=4", "width=5", "levels=4"]
MODELS = {
    "digits-pixelcnn": SIZE,
    "digits-row-lstm": SIZE,
    "digits-diagonal": SIZE,
    "mnist-diagonal": ["h=4", "layers=2", "height=5", "width=4"],
    "digits-gated-class": SIZE,
}
SHAPES = [("scan", "dynamic"), ("scan", "3"), ("unroll", "dynamic"), ("unroll", "3")]
ENGINES = ["onnxruntime", "web-node", "web-chromium", "openvino", "iree", "onnx-reference", "tract"]
TOOLS = ["onnxsim", "opset 21", "opset 17", "float16", "int8"]
BATCH = 3
# As the project's own: absolute, and relative to the largest magnitude of an output.
TOLERANCE = (1e-5, 1e-4)
# What fewer bits may change.
LOOSE = {"float16": (2e-2, 2e-2), "int8": (1.0, 0.5)}
# For a job, as they come: building an unrolled model takes some engines long.
SECONDS = 120
# `--dtype`, and what it may change; on these models, with a fixed batch.
DTYPES = {"f16": (1e-3, 1e-2), "bf16": (8e-3, 2e-2), "int8": (2e-2, 3e-2)}
DTYPE_MODELS = ["digits-row-lstm", "mnist-diagonal"]
DTYPE_KINDS = ["forward", "nll", "sample", "step", "row"]


# ---------------------------------------------------------------- the environment


def install(env, web):
    """Installs what is missing; the path of the environment's Python."""
    python = env / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = env / "installed.json"
    wanted = PACKAGES + (NODE_PACKAGES if web else [])
    if done.exists() and json.loads(done.read_text()) == wanted:
        return python
    if not python.exists():
        venv.create(env, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    if web:
        node = env / "node"
        node.mkdir(exist_ok=True)
        command = [shutil.which("npm"), "install", "--silent", "--no-audit", "--no-fund"]
        subprocess.run([*command, *NODE_PACKAGES], cwd=node, check=True)
    done.write_text(json.dumps(wanted))
    return python


def chromium():
    names = ["chromium", "chromium-browser", "google-chrome", "chrome"]
    return next((path for path in map(shutil.which, names) if path), None)


# ---------------------------------------------------------------- files, inputs, reference values


def export(pixelrnn, model, kind, flow, batch, path, weights=None, dtype="f32"):
    sets = [word for pair in MODELS[model] for word in ("--set", pair)]
    command = [pixelrnn, "export", model, *sets, "--graph", kind, "--control-flow", flow, "-q",
               "--batch", batch, "--dtype", dtype, "--init-seed", "1", "-o", str(path)]
    if weights:
        command += ["--write-weights", str(weights)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def read_weights(path):
    """A safetensors file of f32."""
    import numpy as np

    data = Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    arrays = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            flat = np.frombuffer(data[8 + size + start : 8 + size + end], np.float32)
            arrays[name] = flat.reshape(entry["shape"])
    return arrays


def make_inputs(path, weights):
    """Numbers for the inputs of a model, by their names."""
    import numpy as np
    import onnx

    random = np.random.default_rng(5)
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    levels = int(metadata.get("pixelrnn.levels", 2))
    inputs = {}
    for value in model.graph.input:
        shape = [d.dim_value or BATCH for d in value.type.tensor_type.shape.dim]
        name = value.name
        if value.type.tensor_type.elem_type == onnx.TensorProto.INT64:
            inputs[name] = random.integers(0, 3, shape)
        elif name in weights:
            inputs[name] = weights[name]
        elif name == "image" or name == "pixel":
            inputs[name] = random.integers(0, levels, shape)
        elif name == "uniform":
            # Away from bounds, where the last digit decides.
            inputs[name] = random.uniform(0.02, 0.98, shape)
        elif name == "learning_rate":
            inputs[name] = np.full(shape, 0.01)
        elif name == "begun":
            inputs[name] = np.ones(shape)
        elif metadata["pixelrnn.graph"] == "train":
            # What an optimizer carries: never negative.
            inputs[name] = random.uniform(0, 0.1, shape)
        else:
            inputs[name] = random.uniform(-0.5, 0.5, shape)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            inputs[name] = np.asarray(inputs[name], np.float32)
    return inputs


def run_onnxruntime(model, inputs, optimize=True):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, (str, Path)) else model.SerializeToString()
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs)))


def verdict(expected, found, tolerance=TOLERANCE, drawn=False):
    """Whether outputs are the same, and how far the worst is off, in text."""
    import numpy as np

    lost = sorted(set(expected) - set(found))
    if lost:
        return False, f"outputs without their name: {', '.join(lost)[:80]}"
    worst = 0.0
    for name, a in expected.items():
        a, b = np.asarray(a, np.float64), np.asarray(found[name], np.float64)
        if a.shape != b.shape:
            return False, f"`{name}` has shape {b.shape}, not {a.shape}"
        if a.size == 0:
            continue
        off = np.abs(a - b).max()
        if drawn and tolerance is not TOLERANCE:
            # Fewer bits tip the balance where a number is near a bound.
            share = (a != b).mean()
            if share > 0.2:
                return False, f"{share:.0%} of the levels drawn are others"
        elif not off <= tolerance[0] + tolerance[1] * np.abs(a).max():
            return False, f"wrong numbers: `{name}` is off by {off:.2g} of {np.abs(a).max():.2g}"
        worst = max(worst, off)
    return True, f"{worst:.1g}"


# ---------------------------------------------------------------- engines: each in a process of its own


def run_openvino(path, inputs):
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU",
                                  {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled(inputs)
    return {name: results[o] for o in compiled.outputs for name in o.get_names()}


def run_iree(path, inputs):
    import iree.compiler.tools.import_onnx.__main__ as importer
    import iree.compiler as compiler
    import iree.runtime as runtime
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        mlir = Path(folder) / "m.mlir"
        command = [sys.executable, "-m", importer.__name__.removesuffix(".__main__"), str(path),
                   "-o", str(mlir)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(last_line(done.stderr))
        binary = compiler.compile_file(str(mlir), target_backends=["llvm-cpu"],
                                       input_type="onnx", extra_args=["--iree-llvmcpu-target-cpu=host"])
    config = runtime.Config("local-task")
    context = runtime.SystemContext(config=config)
    context.add_vm_module(runtime.VmModule.copy_buffer(config.vm_instance, binary))
    graph = onnx.load(path).graph
    module = context.modules.module
    function = next(module[name] for name in module.vm_module.function_names
                    if not name.startswith("__") and not name.endswith("$async"))
    results = function(*[inputs[i.name] for i in graph.input])
    results = results if isinstance(results, (tuple, list)) else [results]
    return dict(zip([o.name for o in graph.output], [r.to_host() for r in results]))


def run_reference(path, inputs):
    import onnx.reference

    evaluator = onnx.reference.ReferenceEvaluator(str(path))
    return dict(zip(evaluator.output_names, evaluator.run(None, inputs)))


def convert(tool, path):
    """A model after a tool."""
    import onnx

    if tool == "onnxsim":
        import onnxsim

        model, same = onnxsim.simplify(onnx.load(path))
        if not same:
            raise RuntimeError("its own check failed")
        return model
    if tool.startswith("opset"):
        return onnx.version_converter.convert_version(onnx.load(path), int(tool.split()[1]))
    if tool == "float16":
        from onnxconverter_common import float16

        return float16.convert_float_to_float16(onnx.load(path), keep_io_types=True)
    from onnxruntime.quantization import quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "q.onnx"
        quantize_dynamic(str(path), str(out))
        return onnx.load(out)


def worker(engine, jobs, start):
    """Runs jobs from one on; a line of JSON before and after each, since some end the process."""
    import numpy as np
    import logging
    import onnx.version_converter  # noqa: F401

    logging.disable(logging.WARNING)
    runners = {"onnxruntime": run_onnxruntime, "openvino": run_openvino, "iree": run_iree,
               "onnx-reference": run_reference}
    for i in range(start, len(jobs)):
        job = jobs[i]
        inputs = dict(np.load(job["inputs"]))
        expected = dict(np.load(job["expected"]))
        print(json.dumps({"begin": i}), flush=True)
        try:
            if engine in runners:
                found = runners[engine](job["model"], inputs)
            else:
                found = run_onnxruntime(convert(engine, job["model"]), inputs)
            drawn = job["kind"] == "sample"
            tolerance = job.get("tolerance") or LOOSE.get(engine, TOLERANCE)
            good, text = verdict(expected, found, tolerance, drawn)
        except Exception as error:  # noqa: BLE001: whatever a tool throws is its answer
            good, text = False, last_line(f"{type(error).__name__}: {error}")
        print(json.dumps({"job": i, "good": good, "text": text}), flush=True)


def last_line(text):
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    telling = [line for line in lines if "rror" in line or "Check" in line or "ot " in line]
    return " ".join((telling or lines or ["no message"])[-1].split())[:220]


def run_workers(engine, jobs, folder):
    """The verdicts of an engine on all jobs."""
    path = folder / f"{engine.replace(' ', '-')}.json"
    path.write_text(json.dumps(jobs))
    verdicts, start = {}, 0
    while start < len(jobs):
        command = [sys.executable, __file__, "--worker", engine, str(path), str(start)]
        begun = start
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * (len(jobs) - start))
            output, end = done.stdout, f"the process ended with {done.returncode}"
        except subprocess.TimeoutExpired as error:
            output, end = (error.stdout or b"").decode(), "not done in time"
        for line in output.splitlines():
            if not line.startswith("{"):
                continue
            said = json.loads(line)
            begun = said.get("begin", begun)
            if "job" in said:
                verdicts[said["job"]] = (said["good"], said["text"])
        start = max(verdicts, default=-1) + 1
        if start < len(jobs):
            verdicts[begun] = (False, end)
            start = begun + 1
    return [verdicts[i] for i in range(len(jobs))]


def run_web(engine, jobs, folder, env, browser):
    """onnxruntime-web in Node or in Chromium."""
    import numpy as np

    names = {"float32": "float32", "int64": "int64"}
    described = []
    for i, job in enumerate(jobs):
        tensors = {}
        for name, array in np.load(job["inputs"]).items():
            file = folder / f"in-{i}-{len(tensors)}.bin"
            file.write_bytes(np.ascontiguousarray(array).tobytes())
            tensors[name] = {"type": names[str(array.dtype)], "dims": array.shape, "file": str(file)}
        described.append({"model": job["model"], "inputs": tensors})
    path, out = folder / f"{engine}.json", folder / f"{engine}-out.json"
    path.write_text(json.dumps(described))
    script = env / "node" / "web.mjs"
    shutil.copy(HERE / "web.mjs", script)
    command = [shutil.which("node"), script, path, out]
    if engine == "web-chromium":
        command.append(browser)
    done = subprocess.run(command, capture_output=True, text=True, timeout=20 * SECONDS)
    if done.returncode:
        return [(False, last_line(done.stderr))] * len(jobs)
    verdicts = []
    for job, said in zip(jobs, json.loads(out.read_text())):
        if "error" in said:
            verdicts.append((False, last_line(said["error"])))
            continue
        found = {name: np.array([float(x) for x in t["data"]], np.float32).reshape(t["dims"])
                 for name, t in said["outputs"].items()}
        tolerance = job.get("tolerance") or TOLERANCE
        drawn = job["kind"] == "sample"
        verdicts.append(verdict(dict(np.load(job["expected"])), found, tolerance, drawn))
    return verdicts


def run_tract(pixelrnn):
    """tract and the reference interpreter, as `pixelrnn` itself runs them."""
    verdicts = {}
    for model, pairs in MODELS.items():
        sets = [word for pair in pairs for word in ("--set", pair)]
        for batch in ("dynamic", "3"):
            for kind in ("forward", "nll", "grad", "train"):
                wide = f"dynamic:{BATCH}" if batch == "dynamic" else batch
                command = [pixelrnn, "compare", model, *sets, "--graph", kind, "--batch", wide,
                           "--engine", "reference,tract,ort", "--init-seed", "1", "-q"]
                done = subprocess.run(command, capture_output=True, text=True)
                good = done.returncode == 0
                text = last_line(done.stderr + done.stdout)
                verdicts[model, kind, "scan", batch] = (good, "" if good else text)
        if "class" in model:
            continue
        with tempfile.TemporaryDirectory() as folder:
            images = []
            for engine in ("reference", "tract", "ort"):
                out = Path(folder) / f"{engine}.npy"
                command = [pixelrnn, "sample", model, *sets, "-n", str(BATCH), "-o", out, "-q",
                           "--engine", engine, "--init-seed", "1"]
                subprocess.run(command, capture_output=True, check=True)
                images.append(out.read_bytes())
            good = images[0] == images[1] == images[2]
            text = "" if good else "other images than the reference interpreter"
            verdicts[model, "sample", "scan", "3"] = (good, text)
    return verdicts


# ---------------------------------------------------------------- the whole


def prepare(pixelrnn, folder):
    """Exports everything; jobs by model, kind, control flow and batch."""
    import numpy as np

    jobs = {}
    for model in MODELS:
        for kind in KINDS:
            for flow, batch in SHAPES:
                stem = folder / f"{model}-{kind}-{flow}-{batch}"
                weights = folder / f"{model}.safetensors"
                export(pixelrnn, model, kind, flow, batch, f"{stem}.onnx", weights)
                inputs, expected = folder / f"{model}-{kind}-in.npz", folder / f"{model}-{kind}.npz"
                if (flow, batch) == SHAPES[0]:
                    arrays = make_inputs(f"{stem}.onnx", read_weights(weights))
                    np.savez(inputs, **arrays)
                    np.savez(expected, **run_onnxruntime(f"{stem}.onnx", arrays, optimize=False))
                jobs[model, kind, flow, batch] = {
                    "model": f"{stem}.onnx", "kind": kind, "inputs": str(inputs), "expected": str(expected)}
    return jobs


def prepare_dtypes(pixelrnn, folder, jobs):
    """The same for models of fewer bits, by model, kind and type."""
    fewer = {}
    for model in DTYPE_MODELS:
        for kind in DTYPE_KINDS:
            for dtype, tolerance in DTYPES.items():
                path = folder / f"{model}-{kind}-{dtype}.onnx"
                # Loops in loops are in the table above.
                flow = "unroll" if kind == "sample" else "scan"
                export(pixelrnn, model, kind, flow, str(BATCH), path, dtype=dtype)
                plain = jobs[model, kind, "scan", str(BATCH)]
                fewer[model, kind, dtype] = {**plain, "model": str(path), "tolerance": tolerance}
    return fewer


def run_engine(engine, jobs, folder, env, browser):
    """The verdicts of an engine by what its jobs go by."""
    if engine.startswith("web"):
        verdicts = run_web(engine, list(jobs.values()), folder, env, browser)
    else:
        verdicts = run_workers(engine, list(jobs.values()), folder)
    return dict(zip(jobs, verdicts))


def cell(verdicts, notes):
    """What a table says of the models of one kind."""
    if not verdicts:
        return "–"
    good = sum(good for good, _ in verdicts.values())
    text = "yes" if good == len(verdicts) else f"{good} of {len(verdicts)}" if good else "no"
    for model, (fine, reason) in verdicts.items():
        if not fine:
            notes.setdefault(reason, []).append(model)
    marks = sorted({list(notes).index(reason) + 1 for fine, reason in verdicts.values() if not fine})
    return text + "".join(f" [{mark}]" for mark in marks)


def report(versions, results, fewer, tools):
    notes = {}
    lines = ["# Engines and tools", "",
             "This page is generated by `tests/matrix/run.py`, which documents how numbers are",
             "compared. \"yes\" means: every model loads, and all its numbers are those of the reference",
             f"(largest difference {TOLERANCE[0]:g} + {TOLERANCE[1]:g} of the largest magnitude).",
             f"Models, each small: {', '.join(f'`{m}`' for m in MODELS)}.", "",
             "Versions: " + ", ".join(f"{name} {v}" for name, v in versions.items()) + ".", "",
             "## Engines", ""]
    engines = list(results)
    lines.append("| graph | control flow | batch | " + " | ".join(engines) + " |")
    lines.append("|" + "---|" * (3 + len(engines)))
    for kind in KINDS:
        for flow, batch in SHAPES:
            cells = []
            for engine in engines:
                found = {m: results[engine][m, kind, flow, batch] for m in MODELS
                         if (m, kind, flow, batch) in results[engine]}
                cells.append(cell(found, notes))
            shown = batch if batch == "dynamic" else "fixed"
            lines.append(f"| {kind} | {flow} | {shown} | " + " | ".join(cells) + " |")
    lines += ["", "## Fewer bits", "",
              f"`--dtype` on {' and '.join(f'`{m}`' for m in DTYPE_MODELS)}, with a fixed batch, `sample`",
              "unrolled and the others with `Scan`. Numbers may differ from those of f32 by "
              + ", ".join(f"{a:g} + {r:g} ({d})" for d, (a, r) in DTYPES.items()),
              "of the largest magnitude, and a fifth of the levels that are drawn.", "",
              "| graph | type | " + " | ".join(fewer) + " |", "|" + "---|" * (2 + len(fewer))]
    for kind in DTYPE_KINDS:
        for dtype in DTYPES:
            cells = [cell({m: found[m, kind, dtype] for m in DTYPE_MODELS}, notes)
                     for found in fewer.values()]
            lines.append(f"| {kind} | {dtype} | " + " | ".join(cells) + " |")
    if tools:
        lines += ["", "## Tools", "",
                  "Files with `Scan` and an open batch, run by ONNX Runtime after the tool. Of `float16` and",
                  "`int8`, which change numbers, \"yes\" means within "
                  f"{LOOSE['float16'][0]:g} + {LOOSE['float16'][1]:g} and {LOOSE['int8'][0]:g} + "
                  f"{LOOSE['int8'][1]:g} of the largest magnitude.", "",
                  "| graph | " + " | ".join(tools) + " |", "|" + "---|" * (1 + len(tools))]
        for kind in KINDS:
            cells = []
            for tool in tools:
                found = {m: tools[tool][m, kind] for m in MODELS if (m, kind) in tools[tool]}
                cells.append(cell(found, notes))
            lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    lines += ["", "## Notes", ""]
    for i, (reason, models) in enumerate(notes.items()):
        models = sorted(set(models))
        shown = "all models" if len(models) == len(MODELS) else ", ".join(models)
        lines.append(f"{i + 1}. {shown}: {reason}")
    return "\n".join(lines) + "\n"


def versions_of(env, engines, browser):
    from importlib.metadata import version

    names = ["onnx", "onnxruntime", "openvino", "iree-base-compiler", "onnxsim",
             "onnxconverter-common"]
    found = {name: version(name) for name in names}
    package = env / "node" / "node_modules" / "onnxruntime-web" / "package.json"
    if "web-node" in engines:
        found["onnxruntime-web"] = json.loads(package.read_text())["version"]
        node = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
        found["Node"] = node.strip().lstrip("v")
    if "web-chromium" in engines:
        text = subprocess.run([browser, "--version"], capture_output=True, text=True).stdout
        found["Chromium"] = text.split()[1]
    return found


def kept(folder, name, find):
    """Verdicts by what jobs go by, found once and then kept in a file."""
    path = folder / f"{name.replace(' ', '-')}.json"
    if find:
        print(f"{name} ...", file=sys.stderr, flush=True)
        path.write_text(json.dumps([[list(key), value] for key, value in find().items()]))
    if not path.exists():
        return None
    return {tuple(key): tuple(value) for key, value in json.loads(path.read_text())}


def inside(arguments):
    env, browser = Path(arguments.env), chromium()
    engines = [e for e in ENGINES if e in arguments.engines.split(",")]
    if not shutil.which("npm"):
        engines = [e for e in engines if not e.startswith("web")]
    if not browser:
        engines = [e for e in engines if e != "web-chromium"]
    program = hashlib.sha256(Path(arguments.pixelrnn).read_bytes()).hexdigest()[:16]
    results = env / "results" / program
    results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        jobs = prepare(arguments.pixelrnn, folder)
        few = prepare_dtypes(arguments.pixelrnn, folder, jobs)
        full, fewer, tools = {}, {}, {}
        for engine in ENGINES:
            if engine == "tract":
                run, run_few = lambda: run_tract(arguments.pixelrnn), dict
            else:
                run = lambda: run_engine(engine, jobs, folder, env, browser)
                run_few = lambda: run_engine(engine, few, folder, env, browser)
            wanted = engine in engines
            full[engine] = kept(results, engine, run if wanted else None)
            fewer[engine] = kept(results, f"{engine} fewer", run_few if wanted else None)
        plain = {key[:2]: job for key, job in jobs.items() if key[2:] == SHAPES[0]}
        for tool in TOOLS:
            # Weights of a training graph are inputs: there is nothing to store in fewer bits.
            suits = {k: j for k, j in plain.items() if tool not in LOOSE or k[1] not in TRAINING}
            run = lambda: run_engine(tool, suits, folder, env, browser)
            tools[tool] = kept(results, tool, run if arguments.tools else None)
        full, fewer, tools = ({k: v for k, v in d.items() if v} for d in (full, fewer, tools))
        text = report(versions_of(env, full, browser), full, fewer, tools)
    Path(arguments.out).write_text(text) if arguments.out != "-" else print(text)


def main():
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], json.loads(Path(sys.argv[3]).read_text()), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixelrnn", required=True, help="the program")
    parser.add_argument("--out", default="-", help="Markdown file to write [default: -]")
    parser.add_argument("--env", default=str(Path(tempfile.gettempdir()) / "pixelrnn-matrix"),
                        help="folder of the scratch environment [default: %(default)s]")
    parser.add_argument("--engines", default=",".join(ENGINES), help="[default: %(default)s]")
    parser.add_argument("--tools", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.pixelrnn = str(Path(arguments.pixelrnn).resolve())
    if arguments.inside:
        inside(arguments)
        return
    python = install(Path(arguments.env), bool(shutil.which("npm")))
    sys.exit(subprocess.run([python, __file__, *sys.argv[1:], "--inside"]).returncode)


if __name__ == "__main__":
    main()
