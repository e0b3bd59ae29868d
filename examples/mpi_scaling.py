"""Measures how training steps scale over the ranks of an MPI job on one machine, and draws the plot of the book.

    cargo build --release --bin pixelrnn --features pixelrnn-cli/mpi
    pip install numpy
    python examples/mpi_scaling.py target/release/pixelrnn -o docs/src/images/ranks.svg

Every row trains on the same batches in the same 4 shards, so all rows do the same work and end with the same bits; this
is checked. Up to as many ranks as there are cores, each rank has one core. The speed is that of the median of the log's
lines, without the first one. `--plot` draws figures that were measured earlier, from the lines that this prints.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

SHARDS = 4
BATCH = 32
# Name in the plot, model, settings.
MODELS = [
    ("mnist-pixelcnn, 7 layers of 32 features", "mnist-pixelcnn", ["--set", "h=16"]),
    ("mnist-diagonal, 3 layers of 32 features", "mnist-diagonal", ["--set", "h=16", "--set", "layers=3"]),
]
COLORS = ["#1f77b4", "#d62728"]


def launch(ranks, cores):
    binding = ["--bind-to", "core"] if ranks <= cores else ["--oversubscribe", "--bind-to", "none"]
    root = ["--allow-run-as-root"] if hasattr(os, "getuid") and os.getuid() == 0 else []
    return ["mpirun", *root, "-n", str(ranks), *binding]


def measure(program, folder, ranks, cores, model, settings, steps):
    run = folder / f"{model}-{ranks}"
    command = launch(ranks, cores) + [program, "train", model, *settings, "--data", f"npy:{folder / 'images.npy'}"]
    command += ["--batch", str(BATCH), "--shards", str(SHARDS), "--steps", str(steps), "--optimizer", "adam"]
    command += ["--validate-every", str(steps), "--checkpoint-every", "3600", "--out", str(run), "--json", "--quiet"]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)} failed")
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    speeds = [line["images_per_second"] for line in lines if line["event"] == "step"][1:]
    answer = json.loads(result.stdout)
    # The parameters alone: 4 bytes each, as a step sends them.
    header = (run / "best.safetensors").read_bytes()
    size = int.from_bytes(header[:8], "little")
    return {
        "model": model,
        "ranks": ranks,
        "cores": cores,
        "images_per_second": round(statistics.median(speeds), 1),
        "worst": round(min(speeds), 1),
        "best": round(max(speeds), 1),
        "gradient_bytes": len(header) - 8 - size,
        "loss": answer["loss"],
    }


def plot(rows, path):
    """Speed by ranks, on axes from zero, with the line of perfect scaling from one rank."""
    width, height, left, top, right, bottom = 640, 400, 70, 50, 20, 60
    most = max(row["ranks"] for row in rows)
    peak = max(row["best"] for row in rows) * 1.15
    x = lambda ranks: left + (width - left - right) * ranks / (most + 0.5)
    y = lambda speed: height - bottom - (height - top - bottom) * speed / peak
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{width / 2}" y="22" text-anchor="middle" font-size="15">Training speed by ranks on {rows[0]["cores"]} cores</text>',
        f'<path d="M{left} {top}V{height - bottom}H{width - right}" fill="none" stroke="black"/>',
        f'<text x="{(left + width - right) / 2}" y="{height - 15}" text-anchor="middle">ranks</text>',
        f'<text transform="translate(18 {(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">images per second</text>',
    ]
    unit = 10 ** (len(str(int(peak))) - 1)
    unit = unit / 2 if peak / unit < 4 else unit
    for i in range(int(peak / unit) + 1):
        out.append(f'<text x="{left - 6}" y="{y(i * unit) + 4:.1f}" text-anchor="end">{i * unit:g}</text>')
        out.append(f'<path d="M{left} {y(i * unit):.1f}H{width - right}" stroke="#ddd" fill="none"/>')
    for ranks in sorted({row["ranks"] for row in rows}):
        out.append(f'<text x="{x(ranks):.1f}" y="{height - bottom + 18}" text-anchor="middle">{ranks}</text>')
    names = {model: name for name, model, _ in MODELS}
    for place, (model, color) in enumerate(zip(names, COLORS)):
        own = sorted((row for row in rows if row["model"] == model), key=lambda row: row["ranks"])
        if not own:
            continue
        points = " ".join(f"{x(row['ranks']):.1f},{y(row['images_per_second']):.1f}" for row in own)
        out.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        for row in own:
            at = x(row["ranks"])
            out.append(f'<circle cx="{at:.1f}" cy="{y(row["images_per_second"]):.1f}" r="4" fill="{color}"/>')
            out.append(f'<path d="M{at:.1f} {y(row["worst"]):.1f}V{y(row["best"]):.1f}" stroke="{color}" fill="none"/>')
        cores = min(own[0]["cores"], most)
        first = own[0]["images_per_second"]
        ideal = f"{x(1):.1f},{y(first):.1f} {x(cores):.1f},{y(first * cores):.1f} {x(most):.1f},{y(first * cores):.1f}"
        out.append(f'<polyline points="{ideal}" fill="none" stroke="{color}" stroke-dasharray="5 4"/>')
        out.append(f'<text x="{left + 12}" y="{top + 4 + 18 * place}" fill="{color}">{names[model]}</text>')
    out.append(f'<text x="{left + 12}" y="{top + 4 + 18 * len(names)}" fill="#555">dashed: one rank times the cores in use</text>')
    out.append("</svg>")
    path.write_text("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="pixelrnn, built with the feature `mpi`; with --plot, the measured lines")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="the plot, an .svg file")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--plot", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    if arguments.plot:
        rows = [json.loads(line) for line in pathlib.Path(arguments.program).read_text().splitlines()]
        return plot(rows, arguments.output)

    import numpy

    # Of this process, whatever the machine has.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    program = str(pathlib.Path(arguments.program).resolve())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        images = numpy.random.default_rng(0).integers(0, 2, (2000, 28, 28), numpy.uint8)
        numpy.save(folder / "images.npy", images)
        for _, model, settings in MODELS:
            for ranks in arguments.ranks:
                rows.append(measure(program, folder, ranks, cores, model, settings, arguments.steps))
                print(json.dumps(rows[-1]), flush=True)
            losses = {row["loss"] for row in rows if row["model"] == model}
            if len(losses) > 1:
                sys.exit(f"{model}: the number of ranks changes the loss: {losses}")
    plot(rows, arguments.output)


main()
