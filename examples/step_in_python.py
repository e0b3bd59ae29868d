"""Samples images with a loop in Python around the graphs `step` and `row`. The loop works for any model.

    pixelrnn export digits-diagonal --graph step -o step.onnx
    pixelrnn export digits-diagonal --graph row -o row.onnx
    pip install onnxruntime numpy
    python examples/step_in_python.py step.onnx row.onnx

The graph `sample` does the same in one call, and faster. A loop outside of the graph can stop after any
pixel, show what is there, or change it.
"""

import sys

import numpy
import onnxruntime

COUNT = 4

step, row = (onnxruntime.InferenceSession(path) for path in sys.argv[1:3])
random = numpy.random.default_rng(0)


def inputs(session):
    """Names and shapes. The only dynamic extent is the number of images."""
    return {i.name: [n if isinstance(n, int) else COUNT for n in i.shape] for i in session.get_inputs()}


def call(session, given):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, given)))


# All other inputs and outputs are passed from one call to the next.
width = next(shape[0] for name, shape in inputs(row).items() if name.startswith("done."))
height = width if len(sys.argv) < 4 else int(sys.argv[3])
colours = inputs(step)["uniform"][1]

between = {name: numpy.zeros(shape, numpy.float32) for name, shape in inputs(row).items()}
images = numpy.zeros((COUNT, height, width, colours), numpy.float32)
for y in range(height):
    begun = call(row, between)
    carried = {name: begun[name] for name in inputs(step) if name.startswith("state.")}
    done = {name: [] for name in between if name.startswith("done.")}
    for x in range(width):
        given = {"uniform": random.random((COUNT, colours), numpy.float32), **carried}
        given |= {name: begun[name][x] for name in inputs(step) if name.startswith("row.")}
        drawn = call(step, given)
        images[:, y, x] = drawn["pixel"]
        carried = {name: drawn[f"{name}.next"] for name in carried}
        for name in done:
            done[name].append(drawn[name])
    for name in between:
        if name == "begun":
            between[name] = numpy.ones(1, numpy.float32)
        elif name in done:
            between[name] = numpy.stack(done[name])
        else:
            between[name] = begun[f"{name}.next"]

shades = " .:-=+*#%@"
for image in images:
    levels = image[..., 0] / max(1, images.max())
    print("\n".join("".join(shades[int(9 * v)] * 2 for v in line) for line in levels), end="\n\n")
