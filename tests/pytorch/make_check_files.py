"""Writes the files in `crates/check/tests/cases/pytorch`: models as PyTorch exports them today.

    python tests/pytorch/make_check_files.py [FOLDER]

Needs torch, onnx, onnxscript and onnxruntime. `table.txt` says of each file how many outputs depend on
their own value or a later one. That number is found by changing one value of the image at a time, in torch
(in float64) or, for quantized files, in ONNX Runtime.
"""

import copy
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch

sys.path.insert(0, str(Path(__file__).parent))
from check_models import LEVELS, MODELS, SIZE, Case

FOLDER = Path(__file__).parents[2] / "crates/check/tests/cases/pytorch"
BASES = 12


def size(case: Case) -> int:
    # PixelCNN++ halves its maps.
    return SIZE + 1 if case.whole else SIZE


def images(case: Case, count: int, generator: torch.Generator) -> torch.Tensor:
    n = size(case)
    if case.codes:
        return torch.randint(LEVELS, (count, n, n), generator=generator)
    shape = (count, case.colors, n, n)
    return torch.randint(256, shape, generator=generator) / 255.0


def inputs(case: Case, image: torch.Tensor) -> tuple:
    label = torch.full((image.shape[0],), 3)
    return (image, label) if case.label else (image,)


def export(case: Case, model: torch.nn.Module, path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    example = images(case, 1, generator)
    if not case.codes:
        example = example.to(case.dtype)
    if case.exporter == "legacy":
        torch.onnx.export(model, inputs(case, example), path, dynamo=False)
    else:
        torch.onnx.export(model, inputs(case, example), path, verbose=False)


def quantize(case: Case, path: Path) -> None:
    from onnxruntime import quantization as q

    generator = torch.Generator().manual_seed(2)
    if case.quantize == "dynamic":
        q.quantize_dynamic(path, path, weight_type=q.QuantType.QUInt8)
        return

    class Reader(q.CalibrationDataReader):
        def __init__(self):
            name = onnx.load(path).graph.input[0].name
            pictures = images(case, 16, generator).numpy()
            self.feeds = iter([{name: x[None]} for x in pictures])

        def get_next(self):
            return next(self.feeds, None)

    q.quantize_static(path, path, Reader(), weight_type=q.QuantType.QInt8)


def strip(proto: onnx.ModelProto) -> None:
    """Removes what tells about the machine: stack traces, doc strings, metadata."""

    def graph(g):
        del g.metadata_props[:]
        g.doc_string = ""
        for value in [*g.input, *g.output, *g.value_info, *g.initializer]:
            value.doc_string = ""
            del value.metadata_props[:]
        for n in g.node:
            node(n)

    def node(n):
        del n.metadata_props[:]
        n.doc_string = ""
        for a in n.attribute:
            a.doc_string = ""
            for g in [a.g, *a.graphs] if a.type in (a.GRAPH, a.GRAPHS) else []:
                graph(g)

    graph(proto.graph)
    del proto.metadata_props[:]
    proto.doc_string = ""
    for function in proto.functions:
        del function.metadata_props[:]
        function.doc_string = ""
        for n in function.node:
            node(n)


def runner(case: Case, model: torch.nn.Module, path: Path):
    """A function from images to outputs."""
    if not case.quantize:
        precise = copy.deepcopy(model).double()
        double = lambda x: x if case.codes else x.double()
        return lambda x: precise(*inputs(case, double(x))).detach().numpy(), 1e-11
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    one = lambda x: session.run(None, {name: x[None].numpy()})[0]
    return lambda x: np.concatenate([one(i) for i in x]), 0.0


def per_value(case: Case, moved: np.ndarray) -> np.ndarray:
    """Whether an output (batch, ...) moved, for each value of the image (or pixel) in order."""
    n = size(case)
    count = moved.shape[0]
    if case.whole:  # (batch, parameters, height, width)
        return moved.any(1).reshape(count, n * n)
    if moved.ndim == 5:  # (batch, levels, colors, height, width)
        return moved.any(1).transpose(0, 2, 3, 1).reshape(count, -1)
    if case.codes or moved.shape[-1] == LEVELS:  # (batch, height, width, levels)
        return moved.any(3).reshape(count, n * n)
    return moved.any(1).reshape(count, n * n)


def leaks(case: Case, run, tolerance: float) -> tuple[int, int]:
    """How many outputs depend on their own value or a later one, and how many there are."""
    generator = torch.Generator().manual_seed(3)
    n, colors = size(case), case.colors
    depends = None
    for _ in range(BASES):
        base = images(case, 1, generator)
        values = base.expand(n * n * colors, *base.shape[1:]).clone()
        for k in range(n * n * colors):
            pixel, color = divmod(k, colors)
            y, x = divmod(pixel, n)
            at = (k, y, x) if case.codes else (k, color, y, x)
            if case.codes:
                values[at] = (values[at] + 1 + int(torch.randint(LEVELS - 1, (), generator=generator))) % LEVELS
            else:
                values[at] = torch.randint(256, (), generator=generator) / 255.0
        moved = np.abs(run(values) - run(base)) > tolerance
        found = per_value(case, moved)
        depends = found if depends is None else depends | found
    outputs = depends.shape[1]
    per = colors if case.whole else 1
    leaking = sum(bool(depends[o * per :, o].any()) for o in range(outputs))
    return leaking, outputs


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, case in MODELS.items():
        torch.manual_seed(0)
        model = case.build().eval()
        for module in model.modules():
            # Statistics as after training.
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / f"{name}.onnx"
            export(case, copy.deepcopy(model).to(case.dtype), path)
            if case.quantize:
                quantize(case, path)
            run, tolerance = runner(case, model, path)
            leaking, outputs = leaks(case, run, tolerance)
            proto = onnx.load(path)
        strip(proto)
        target = folder / f"{name}.onnx"
        (folder / f"{name}.onnx.data").unlink(missing_ok=True)
        if case.external:
            onnx.save(proto, target, save_as_external_data=True, location=f"{name}.onnx.data", size_threshold=0)
        else:
            onnx.save(proto, target)
        assert (leaking == 0) == name.endswith("right"), (name, leaking)
        order = "pixel" if case.whole else "rgb"
        rows.append(f"{name} {leaking} {outputs} {order}\n")
        print(rows[-1], end="", flush=True)
    head = f"# file, leaking outputs, outputs, order of colors; torch {torch.__version__.split('+')[0]}\n"
    (folder / "table.txt").write_text(head + "".join(rows))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
