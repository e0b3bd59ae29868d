"""Trains an exported model with Python's onnxruntime, without pixelrnn or a training framework.

One file contains the forward pass, the backward pass and the optimizer. The outputs `x.next` of a step are the
inputs `x` of the next one.

    cargo run --release --bin pixelrnn -- export digits-diagonal --graph train --optimizer adam -o train.onnx
    pip install onnxruntime numpy
    python examples/train_in_python.py train.onnx
"""

import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1] if len(sys.argv) > 1 else "train.onnx")
random = np.random.default_rng(0)
shapes = {i.name: i.shape for i in session.get_inputs()}
carried = [o.name.removesuffix(".next") for o in session.get_outputs() if o.name.endswith(".next")]

# The optimizer's slots start at zero, its counters at one; the weights are small random numbers.
state = {}
for name in carried:
    if name.endswith(("_power", "_steps")):
        state[name] = np.ones(shapes[name], np.float32)
    elif name.endswith((".bias", "_bias", ".square", ".mean", ".momentum")):
        state[name] = np.zeros(shapes[name], np.float32)
    else:
        state[name] = random.uniform(-0.1, 0.1, shapes[name]).astype(np.float32)

# Images that are easy to learn: stripes of 17 levels, each image shifted randomly.
_, colours, height, width = shapes["image"]
rate = np.array([3e-3], np.float32)
losses = []
for step in range(60):
    shift = random.integers(0, 8, (16, 1, 1, 1))
    columns = (np.arange(width) + shift) % 8 * 2
    image = np.broadcast_to(columns, (16, colours, height, width)).astype(np.float32)
    results = session.run(None, {"image": image, "learning_rate": rate, **state})
    results = dict(zip((o.name for o in session.get_outputs()), results))
    losses.append(float(results["loss"][0]))
    state = {name: results[f"{name}.next"] for name in carried}

print(f"loss {losses[0]:.1f} -> {losses[-1]:.1f} nats per image in {len(losses)} steps")
assert losses[-1] < losses[0] / 2
