"""Runs an exported model with Python's onnxruntime, without pixelrnn.

    cargo run --release --bin pixelrnn -- export digits-diagonal --graph nll -o digits.onnx
    pip install onnxruntime numpy
    python examples/run_in_python.py digits.onnx
"""

import math
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1] if len(sys.argv) > 1 else "digits.onnx")
(image,) = session.get_inputs()
_, colours, height, width = image.shape
metadata = session.get_modelmeta().custom_metadata_map
levels = int(metadata["pixelrnn.levels"])

# Levels as floats, [N, C, H, W]. The batch is dynamic, so there may be any number of images.
images = np.random.default_rng(0).integers(0, levels, (4, colours, height, width))
for output, value in zip(session.get_outputs(), session.run(None, {image.name: images.astype(np.float32)})):
    print(output.name, value.shape)
    if output.name == "nll":
        bits = value.mean() / (math.log(2) * height * width * colours)
        print(f"{value.mean():.2f} nats per image, {bits:.3f} bits per dimension")
