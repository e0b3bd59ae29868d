"""Checks modules of PyTorch, which is imported only when a function here is called."""

from __future__ import annotations

import copy
import logging
import warnings
from typing import TYPE_CHECKING, Any

from ._report import Report, check, condensed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch


def export(
    module: torch.nn.Module,
    shape: Sequence[int],
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = None,
    keep_zeros: bool = False,
) -> bytes:
    """Exports a module in evaluation mode and returns the bytes. The module itself is not changed.

    shape: shape of an image without the batch: (colors, height, width), or (height, width) for integer codes.
    args, kwargs: further arguments of `forward` after the image, such as a label, with a batch of one.
    dtype: element type of the image. By default float32 (random numbers from 0 to 1), or int64 (zeros) for a
        shape with two axes.
    keep_zeros: keep parameters that are entirely zero. Such layers (initialized to zero) stop every dependency
        until training changes them. By default, they are filled with random numbers before the export. Masks
        in buffers, and parameters that are zero only in part, are never changed.

    Raises ImportError if torch is missing, or onnx or onnxscript, which its exporter needs.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError("`assert_causal` needs PyTorch: pip install 'pixelrnn[torch]'") from error
    module = copy.deepcopy(module).cpu().eval()
    if not keep_zeros:
        _fill(module)
    if dtype is None:
        dtype = torch.int64 if len(shape) == 2 else torch.float32
    image = torch.zeros((1, *shape), dtype=dtype)
    if dtype.is_floating_point:
        image = torch.rand((1, *shape)).to(dtype)
    level = logging.root.manager.disable
    # The exporter logs its progress and operators that it could not register.
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module, (image, *args), kwargs=dict(kwargs or {}), dynamo=True, verbose=False
            )
    except ImportError as error:
        needed = "PyTorch's exporter needs more packages: pip install onnx onnxscript"
        raise ImportError(needed) from error
    finally:
        logging.disable(level)
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def _fill(module: torch.nn.Module) -> None:
    import torch

    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for parameter in module.parameters():
            if parameter.is_floating_point() and parameter.numel() and not parameter.any():
                parameter.normal_()


def assert_causal(
    module: torch.nn.Module,
    shape: Sequence[int],
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = None,
    keep_zeros: bool = False,
    assume: bool = False,
    **options: Any,
) -> Report:
    """Raises AssertionError unless a `torch.nn.Module` is causal. Returns the report.

    shape, args, kwargs, dtype, keep_zeros: see `export`.
    assume: accept a verdict that holds only under conditions.
    options: options of `check`, such as `order="pixel"`, `range=(0, 1)` or `output_layout="lhw"`.

    The message of the error names the first output that leaks, and the path of the leak through the
    modules, by their names in the code.
    """
    __tracebackhide__ = True
    model = export(module, shape, args=args, kwargs=kwargs, dtype=dtype, keep_zeros=keep_zeros)
    report = check(model, **options)
    if report.causal or (assume and report.verdict == "conditional"):
        return report
    raise AssertionError(_message(type(module).__name__, report))


def _message(name: str, report: Report) -> str:
    what = "pixels" if report.whole_pixels else "outputs"
    count = f"{report.leaking_outputs} of {report.outputs} {what}"
    if report.verdict == "conditional":
        lines = [f"{name} is causal only if"]
        lines += [f"  {condition}" for condition in report.conditions]
        lines += ["Accept this with `assume=True`, or give the true range of the images with `range=(low, high)`."]
        return "\n".join(lines)
    if report.verdict == "uncertain":
        lines = [f"cannot tell whether {name} is causal: {count} may read their own value or a later one"]
        lines += [f"  {op} (`{node}`) is not modeled exactly" for op, node in report.uncertain]
        return "\n".join(lines)
    lines = [f"{name} is not causal: {count} read their own value or a later one"]
    witness = report.witness
    if witness is not None:
        lines.append(f"  output {witness.output} reads input {witness.input} (row, column, color)")
        for hop in condensed(witness.path):
            where = hop.module or name
            source = f"  {hop.source}" if hop.source else ""
            lines.append(f"    <- {where}: {hop.operator} {list(hop.element)}{source}")
    if report.hint:
        lines.append(f"  {report.hint}")
    return "\n".join(lines)
