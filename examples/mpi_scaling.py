"""Measures how training steps scale over the ranks of an MPI job on one machine, and draws the plot of the book.

    cargo build --release --bin pixelrnn --features pixelrnn-cli/mpi
    pip install numpy
    python examples/mpi_scaling.py target/release/pixelrnn -o docs/src/images/ranks.svg

Every row trains on the same batches in the same 4 shards, so all rows do the same work and end with the same bits; this
is checked. Up to as many ranks as there are cores, each rank has one core; 0 stands for one process without MPI, which
uses all cores. All rows take turns, for some rounds. The log of a run has the speed of every 20 steps. The plot shows
the fastest, which other programs disturbed least, relative to that of one rank. `--plot` draws figures that were
measured earlier, from the lines that this prints.
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
MODELS = {"mnist-pixelcnn": "#1f77b4", "mnist-diagonal": "#d62728", "mnist-gated": "#2ca02c"}


def launch(ranks, cores):
    if ranks == 0:
        return []
    binding = ["--bind-to", "core"] if ranks <= cores else ["--oversubscribe", "--bind-to", "none"]
    root = ["--allow-run-as-root"] if hasattr(os, "getuid") and os.getuid() == 0 else []
    return ["mpirun", *root, "-n", str(ranks), *binding]


def measure(program, folder, ranks, cores, model, steps, turn):
    """Images per second of every 20 steps of a run, its loss, and the bytes of its gradient."""
    run = folder / f"{model}-{ranks}-{turn}"
    command = launch(ranks, cores) + [program, "train", model, "--data", f"npy:{folder / 'images.npy'}"]
    command += ["--batch", str(BATCH), "--shards", str(SHARDS), "--steps", str(steps), "--optimizer", "adam"]
    command += ["--validate-every", str(steps), "--checkpoint-every", "3600", "--out", str(run), "--json", "--quiet"]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)} failed")
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    speeds = [line["images_per_second"] for line in lines if line["event"] == "step"][1:]
    answer = json.loads(result.stdout)
    header = (run / "best.safetensors").read_bytes()
    size = int.from_bytes(header[:8], "little")
    return speeds, answer["loss"], len(header) - 8 - size


def plot(rows, path):
    """Speed by ranks, relative to one rank, and the line of perfect scaling on these cores."""
    width, height, left, top, right, bottom = 640, 400, 70, 50, 20, 60
    rows = [row for row in rows if row["ranks"] > 0]
    most = max(row["ranks"] for row in rows)
    cores = min(rows[0]["cores"], most)
    peak = cores * 1.3
    x = lambda ranks: left + (width - left - right) * ranks / (most + 0.5)
    y = lambda speed: height - bottom - (height - top - bottom) * speed / peak
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{width / 2}" y="22" text-anchor="middle" font-size="15">Training speed by ranks on {rows[0]["cores"]} cores</text>',
        f'<path d="M{left} {top}V{height - bottom}H{width - right}" fill="none" stroke="black"/>',
        f'<text x="{(left + width - right) / 2}" y="{height - 15}" text-anchor="middle">ranks</text>',
        f'<text transform="translate(18 {(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">speed, relative to one rank</text>',
    ]
    for i in range(int(peak * 2) + 1):
        out.append(f'<text x="{left - 6}" y="{y(i / 2) + 4:.1f}" text-anchor="end">{i / 2:g}</text>')
        out.append(f'<path d="M{left} {y(i / 2):.1f}H{width - right}" stroke="#ddd" fill="none"/>')
    ideal = f"{x(1):.1f},{y(1):.1f} {x(cores):.1f},{y(cores):.1f} {x(most):.1f},{y(cores):.1f}"
    out.append(f'<polyline points="{ideal}" fill="none" stroke="#555" stroke-dasharray="5 4"/>')
    for ranks in sorted({row["ranks"] for row in rows}):
        out.append(f'<text x="{x(ranks):.1f}" y="{height - bottom + 18}" text-anchor="middle">{ranks}</text>')
    models = list(dict.fromkeys(row["model"] for row in rows))
    for place, model in enumerate(models):
        color = MODELS[model]
        own = sorted((row for row in rows if row["model"] == model), key=lambda row: row["ranks"])
        speeds = [(x(row["ranks"]), y(row["fastest"] / own[0]["fastest"])) for row in own]
        points = " ".join(f"{across:.1f},{up:.1f}" for across, up in speeds)
        out.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        out.extend(f'<circle cx="{across:.1f}" cy="{up:.1f}" r="4" fill="{color}"/>' for across, up in speeds)
        out.append(f'<text x="{left + 12}" y="{top + 4 + 18 * place}" fill="{color}">{model}: {own[0]["gradient_bytes"] / 1e6:.1f} MB of gradients</text>')
    out.append(f'<text x="{left + 12}" y="{top + 4 + 18 * len(models)}" fill="#555">dashed: all cores in use without any loss</text>')
    out.append("</svg>")
    path.write_text("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="pixelrnn, built with the feature `mpi`; with --plot, the measured lines")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="the plot, an .svg file")
    parser.add_argument("--ranks", type=int, nargs="+", default=[0, 1, 2, 4],
                        help="0 is one process without MPI on all cores, which the plot leaves out")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    if arguments.plot:
        rows = [json.loads(line) for line in pathlib.Path(arguments.program).read_text().splitlines()]
        return plot(rows, arguments.output)

    import numpy

    # Of this process, whatever the machine has.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    program = str(pathlib.Path(arguments.program).resolve())
    speeds, losses, sizes = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        images = numpy.random.default_rng(0).integers(0, 2, (2000, 28, 28), numpy.uint8)
        numpy.save(folder / "images.npy", images)
        for turn in range(arguments.rounds):
            for model in arguments.models:
                for ranks in arguments.ranks:
                    found, loss, sizes[model] = measure(
                        program, folder, ranks, cores, model, arguments.steps, turn
                    )
                    speeds.setdefault((model, ranks), []).extend(found)
                    losses.setdefault(model, set()).add(loss)
                    print(f"{model} on {ranks} ranks: {found} images per second", file=sys.stderr, flush=True)
    rows = []
    for (model, ranks), found in speeds.items():
        if len(losses[model]) > 1:
            sys.exit(f"{model}: the number of ranks changes the loss: {losses[model]}")
        fastest, median = round(max(found), 1), round(statistics.median(found), 1)
        row = {"model": model, "ranks": ranks, "cores": cores, "fastest": fastest, "median": median}
        rows.append({**row, "gradient_bytes": sizes[model]})
        print(json.dumps(rows[-1]))
    plot(rows, arguments.output)


main()
