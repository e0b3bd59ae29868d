"""Compares the speed of pixelrnn and PyTorch on the three MNIST models: training steps and sampling.

Both take turns, so that other load on the machine affects both. The PyTorch models are written as a careful
user would write them, for eager mode: masks on the weights, both diagonal directions in one batched
recurrence. They are sampled as in published code, with one full forward pass for each pixel.

    cargo build --release
    pip install torch
    python examples/bench_against_pytorch.py target/release/pixelrnn
    python examples/bench_against_pytorch.py target/release/pixelrnn --what sample --rounds 1

Times are medians in ms. Memory is the peak of each process in MiB; for PyTorch, the figure in parentheses is
the memory before the model was created.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

MODELS = ["mnist-diagonal", "mnist-row-lstm", "mnist-pixelcnn"]
BATCH, SIDE, FEATURES, LAYERS, HIDDEN = 16, 28, 16, 7, 32


def models(torch):
    """Returns a function from the name of a model to the model."""
    nn, F = torch.nn, torch.nn.functional

    class MaskedConv(nn.Module):
        def __init__(self, inputs, outputs, kernel, kind="B"):
            super().__init__()
            height, width = kernel
            self.conv = nn.Conv2d(inputs, outputs, kernel, padding=(height // 2, width // 2))
            mask = torch.ones(height, width)
            mask[height // 2, width // 2 + (kind == "B"):] = 0
            mask[height // 2 + 1:] = 0
            self.register_buffer("mask", mask)

        def forward(self, x):
            conv = self.conv
            return F.conv2d(x, conv.weight * self.mask, conv.bias, padding=conv.padding)

    def cell(gates, c):
        """An LSTM cell, with the gates o, f, i, g along the last axis. Returns the hidden state and the cell state."""
        sigmoids, g = gates.split([3 * FEATURES, FEATURES], -1)
        o, f, i = sigmoids.sigmoid().chunk(3, -1)
        c = f * c + i * g.tanh()
        return o * c.tanh(), c

    class RowLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.from_input = MaskedConv(2 * FEATURES, 4 * FEATURES, (1, 3))
            self.from_state = nn.Conv1d(FEATURES, 4 * FEATURES, 3, padding=1, bias=False)

        def forward(self, x):
            h = x.new_zeros(len(x), FEATURES, SIDE)
            c, rows = h, []
            for row in self.from_input(x).unbind(2):
                gates = row + self.from_state(h)
                sigmoids, g = gates.split([3 * FEATURES, FEATURES], 1)
                o, f, i = sigmoids.sigmoid().chunk(3, 1)
                c = f * c + i * g.tanh()
                h = o * c.tanh()
                rows.append(h)
            return torch.stack(rows, 2)

    class DiagonalBiLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.from_input = nn.Conv2d(2 * FEATURES, 8 * FEATURES, 1)
            self.from_state = nn.Parameter(torch.randn(2, 2 * FEATURES, 4 * FEATURES) / 8)

        def forward(self, x):
            n, steps = len(x), 2 * SIDE - 1
            left, right = self.from_input(x).chunk(2, 1)
            both = torch.stack([left, right.flip(3)])
            # Skew: row y is moved y columns to the right, so that diagonals become columns.
            both = F.pad(both, (0, SIDE)).flatten(3)[..., :SIDE * steps]
            both = both.view(2, n, 4 * FEATURES, SIDE, steps).permute(4, 0, 1, 3, 2)
            h = x.new_zeros(2, n, SIDE, FEATURES)
            c, columns = h, []
            for diagonal in both.unbind(0):
                read = torch.cat([F.pad(h, (0, 0, 1, 0))[:, :, :SIDE], h], 3)
                gates = torch.baddbmm(diagonal.reshape(2, n * SIDE, -1),
                                      read.view(2, n * SIDE, -1), self.from_state)
                h, c = cell(gates.view(2, n, SIDE, -1), c)
                columns.append(h)
            maps = torch.stack(columns).permute(1, 2, 4, 3, 0).flatten(3)
            maps = F.pad(maps, (0, SIDE)).view(2, n, FEATURES, SIDE, 2 * SIDE)[..., :SIDE]
            # The map of the direction from the right is shifted down by one row.
            return maps[0] + F.pad(maps[1].flip(3), (0, 0, 1, 0))[:, :, :SIDE]

    class Block(nn.Module):
        def __init__(self, name):
            super().__init__()
            wide, narrow = 2 * FEATURES, FEATURES
            if name == "mnist-pixelcnn":
                convs = [(wide, narrow, (1, 1)), (narrow, narrow, (3, 3)), (narrow, wide, (1, 1))]
                self.inner = nn.Sequential(
                    *(part for conv in convs for part in (nn.ReLU(), MaskedConv(*conv))))
            else:
                lstm = RowLSTM() if name == "mnist-row-lstm" else DiagonalBiLSTM()
                self.inner = nn.Sequential(lstm, MaskedConv(narrow, wide, (1, 1)))

        def forward(self, x):
            return x + self.inner(x)

    def model(name):
        return nn.Sequential(
            MaskedConv(1, 2 * FEATURES, (7, 7), "A"), *(Block(name) for _ in range(LAYERS)),
            nn.ReLU(), MaskedConv(2 * FEATURES, HIDDEN, (1, 1)),
            nn.ReLU(), MaskedConv(HIDDEN, 1, (1, 1)))

    return model


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def work(name, threads):
    """The worker process: runs what each line of standard input asks for, and prints times and memory."""
    import torch

    torch.set_num_threads(threads)
    before = peak()
    torch.manual_seed(0)
    model = models(torch)(name)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    images = (torch.rand(BATCH, 1, SIDE, SIDE) < 0.13).float()
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits

    def train():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(images), images, reduction="sum") / BATCH
        loss.backward()
        optimizer.step()

    @torch.no_grad()
    def forward():
        model(images)

    @torch.no_grad()
    def sample():
        drawn = torch.zeros(BATCH, 1, SIDE, SIDE)
        for y in range(SIDE):
            for x in range(SIDE):
                chance = model(drawn)[:, :, y, x].sigmoid()
                drawn[:, :, y, x] = (torch.rand(BATCH, 1) < chance).float()

    for line in sys.stdin:
        what, runs = line.split()
        call, times = {"train": train, "forward": forward, "sample": sample}[what], []
        if what != "sample":
            call()
        for _ in range(int(runs)):
            start = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - start))
        print(json.dumps({"ms": statistics.median(times), "peak": peak(), "before": before}), flush=True)


def pixelrnn(program, name, what, runs, threads):
    command = [program, "bench", name, "--engine", "ort", "--graph", what, "--batch", str(BATCH),
               "--runs", str(runs), "--threads", str(threads), "--quiet", "--json"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    result = json.load(child.stdout)["results"][0]
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, command
    return {"ms": result["median_ms"], "peak": usage.ru_maxrss / 1024, "version": result["version"]}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("program", nargs="?", default="target/release/pixelrnn")
    arguments.add_argument("--what", choices=["train", "forward", "sample"], default="train")
    arguments.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--rounds", type=int, default=5, help="turns that each takes")
    arguments.add_argument("--runs", type=int, default=10, help="calls a turn; PyTorch samples once")
    arguments.add_argument("--worker", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.worker:
        return work(given.worker, given.threads)

    print(f"{given.what}, batch {BATCH}, {given.threads} threads, {given.rounds} rounds")
    print(f"{'model':16} {'PyTorch':>9} {'pixelrnn':>9} {'ratio':>7}   peak memory")
    for name in given.models:
        command = [sys.executable, __file__, "--worker", name, "--threads", str(given.threads)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, **pipes) as worker:
            theirs, ours = [], []
            for _ in range(given.rounds):
                runs = 1 if given.what == "sample" else given.runs
                print(given.what, runs, file=worker.stdin, flush=True)
                theirs.append(json.loads(worker.stdout.readline()))
                ours.append(pixelrnn(given.program, name, given.what, given.runs, given.threads))
            worker.stdin.close()
        torch, onnx = (statistics.median(r["ms"] for r in results) for results in (theirs, ours))
        memory = (f"{theirs[-1]['peak']:.0f} ({theirs[-1]['before']:.0f} before), "
                  f"{max(r['peak'] for r in ours):.0f}")
        print(f"{name:16} {torch:9.1f} {onnx:9.1f} {torch / onnx:7.2f}   {memory}", flush=True)
    print(f"ONNX Runtime {ours[-1]['version']}")


if __name__ == "__main__":
    main()
