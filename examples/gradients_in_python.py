"""Computes one training step in parts, with Python's onnxruntime, and compares it with the graph `train`.

The parts are the gradients of two half batches (as with two machines, or with gradient accumulation), their
mean, and the optimizer's update. The graph `train` does all of this at once.

    cargo run --release --bin pixelrnn -- export digits-diagonal --graph grad -o grad.onnx
    for graph in update train; do
      cargo run --release --bin pixelrnn -- export digits-diagonal --graph $graph --optimizer sgd -o $graph.onnx
    done
    pip install onnxruntime onnx numpy
    python examples/gradients_in_python.py
"""

import numpy as np
import onnx
import onnxruntime

sessions = {}
for name in ["grad", "update", "train"]:
    onnx.checker.check_model(f"{name}.onnx", full_check=True)
    sessions[name] = onnxruntime.InferenceSession(f"{name}.onnx")


def run(name, **inputs):
    session = sessions[name]
    inputs = {i.name: inputs[i.name] for i in session.get_inputs()}
    return dict(zip((o.name for o in session.get_outputs()), session.run(None, inputs)))


random = np.random.default_rng(0)
state = {"learning_rate": np.array([1e-4], np.float32)}
for i in sessions["update"].get_inputs():
    if i.name.endswith(".momentum"):
        state[i.name] = np.zeros(i.shape, np.float32)
    elif not i.name.endswith(".grad") and i.name != "learning_rate":
        state[i.name] = random.uniform(-0.1, 0.1, i.shape).astype(np.float32)

_, colours, height, width = sessions["grad"].get_inputs()[0].shape
image = random.integers(0, 17, (16, colours, height, width)).astype(np.float32)

halves = [run("grad", image=half, **state) for half in np.split(image, 2)]
mean = {name: (halves[0][name] + halves[1][name]) / 2 for name in halves[0]}
parts = run("update", **state, **mean)
whole = run("train", image=image, **state)

print(f"loss {mean['loss'][0]:.4f} in parts, {whole['loss'][0]:.4f} at once")
for name in parts:
    np.testing.assert_allclose(parts[name], whole[name], rtol=1e-4, atol=1e-6, err_msg=name)
print(f"{len(parts)} parameters and states agree")
