"""What fewer bits cost: nats per image and bits per dimension of a model's `nll` in each `--dtype`.

    python3 tests/matrix/bits.py --pixelrnn target/release/pixelrnn \\
        --model crates/cli/trained/mnist-diagonal --npz binarized_mnist.npz

Needs numpy and onnxruntime. The images are the key `test` of the archive, u8 levels, [N,H,W] or
[N,H,W,C]; labels, for a model with classes, are its key `test_labels`. Writes a Markdown table.
"""

import argparse
import math
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixelrnn", required=True)
    parser.add_argument("--model", required=True, help="a model or the folder of a run")
    parser.add_argument("--npz", required=True)
    parser.add_argument("--images", type=int, help="maximum number of images [default: all]")
    parser.add_argument("--batch", type=int, default=100)
    arguments = parser.parse_args()
    archive = np.load(arguments.npz)
    images = archive["test"][: arguments.images]
    images = images[..., None] if images.ndim == 3 else images
    images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    labels = archive["test_labels"][: len(images)] if "test_labels" in archive else None
    # Not counted: the first call of each session.
    images_of = lambda start: images[start : start + arguments.batch]
    dims = images[0].size
    print(f"{arguments.model}, {len(images):,} images, ONNX Runtime {ort.__version__}, CPU\n")
    print("| dtype | file | nats per image | bits/dim | against f32 | images per second |")
    print("|---|---|---|---|---|---|")
    plain = None
    for dtype in ("f32", "f16", "bf16", "int8"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "nll.onnx"
            command = [arguments.pixelrnn, "export", arguments.model, "--graph", "nll", "--image",
                       "uint8", "--dtype", dtype, "-o", path, "-q"]
            subprocess.run(command, check=True)
            size = path.stat().st_size
            options = ort.SessionOptions()
            options.log_severity_level = 3
            session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            names = [i.name for i in session.get_inputs()]

            def nats(start):
                feeds = {"image": images_of(start)}
                if "label" in names:
                    feeds["label"] = labels[start : start + arguments.batch].astype(np.int64)
                return session.run(None, feeds)[0].astype(np.float64)

            nats(0)
            begun = time.perf_counter()
            every = np.concatenate([nats(s) for s in range(0, len(images), arguments.batch)])
            speed = len(images) / (time.perf_counter() - begun)
        mean, bits = every.mean(), every.mean() / dims / math.log(2)
        plain = bits if plain is None else plain
        print(f"| {dtype} | {size / 1000:,.0f} kB | {mean:.3f} | {bits:.5f} | {bits - plain:+.5f} | "
              f"{speed:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
