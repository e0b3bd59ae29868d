"""Samples images from an exported sampler with Python's onnxruntime, without pixelrnn.

    cargo run --release --bin pixelrnn -- export digits-diagonal --graph sample --complete -o sample.onnx
    pip install onnxruntime numpy
    python examples/sample_in_python.py sample.onnx
"""

import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1] if len(sys.argv) > 1 else "sample.onnx")
_, height, width, colours = session.get_inputs()[0].shape
random = np.random.default_rng(0)
numbers = random.random((4, height, width, colours), dtype=np.float32)
names = [i.name for i in session.get_inputs()]


def draw(uniform, given, mask):
    inputs = {"uniform": uniform, "given": given, "mask": mask}
    return session.run(None, {name: inputs[name] for name in names})[0]


nothing = np.zeros_like(numbers)
images = draw(numbers, nothing, nothing)
print("images", images.shape, "levels", images.min(), "to", images.max())

if "mask" in names:
    # The upper half of the first image, completed four times.
    mask = nothing.copy()
    mask[:, : height // 2] = 1
    completed = draw(random.random(numbers.shape, dtype=np.float32), images[:1].repeat(4, 0), mask)
    assert (completed[:, : height // 2] == images[0, : height // 2]).all()
    print("completed", completed.shape, "from the upper", height // 2, "rows")
