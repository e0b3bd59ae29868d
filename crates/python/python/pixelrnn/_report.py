"""The report on a model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import _check, _picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

Verdict = Literal["causal", "conditional", "uncertain", "leaks"]
Order = Literal["rgb", "bgr", "pixel"]
# The positions of an output and of a value, each (row, column, color).
_Leak = tuple[tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True)
class Hop:
    """One node on the path from an output back to the image."""

    #: The name of the operator in the ONNX standard.
    operator: str
    #: The name of the node.
    node: str
    #: The module that it belongs to, such as `body.0.conv`; empty if the exporter does not state it.
    module: str
    #: The line of code that it comes from, such as `model.py:12`; empty if the exporter does not state it.
    source: str
    #: The index of the element in the node's result, and the shape of the result.
    element: tuple[int, ...]
    shape: tuple[int, ...]
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Witness:
    """An output that leaks, the value that it must not depend on, and the path between them."""

    #: The position of the output and of the value: row, column, color.
    output: tuple[int, int, int]
    input: tuple[int, int, int]
    #: The nodes from the output back to the image.
    path: tuple[Hop, ...]

    def __str__(self) -> str:
        lines = [f"output {self.output} reads input {self.input}"]
        return "\n".join(lines + [f"  <- {hop}" for hop in condensed(self.path)])


def condensed(hops: Sequence[Hop], limit: int = 16) -> list[Hop]:
    """At most `limit` hops; those in the middle are left out."""
    hops = list(hops)
    if len(hops) <= limit:
        return hops
    half = limit // 2
    return hops[:half] + hops[-half:]


def _hop(parts: _check.HopParts) -> Hop:
    operator, node, module, source, element, shape, text = parts
    return Hop(operator, node, module, source, tuple(element), tuple(shape), text)


class Report:
    """The verdict on a model, and what its outputs depend on.

    Positions are (row, column, color), whatever the layout in the file.
    """

    #: "causal": proved for all images in `range`. "conditional": causal if `conditions` hold.
    #: "uncertain": there may be a leak through an operator that is not modeled exactly.
    #: "leaks": an output depends on a value that it must not depend on.
    verdict: Verdict
    colors: int
    height: int
    width: int
    #: The number of logits (or parameters) per output.
    levels: int
    #: Whether an output stands for a whole pixel instead of one of its colors.
    whole_pixels: bool
    #: Whether outputs may depend on the value at their own position, as in the file of a sampler.
    own_place: bool
    order: Order
    #: The smallest and the largest value of an image.
    range: tuple[float, float]
    input: str
    output: str
    output_layout: str
    #: The role of each input by name: "image", "condition", "weights" or "unused".
    inputs: dict[str, str]
    nodes: int
    parameters: int
    outputs: int
    leaking_outputs: int
    #: The size of the blind spot: the fraction of earlier values that outputs do not depend on.
    blind_share: float
    conditions: list[str]
    #: The operators that are not modeled exactly, each with the first node that uses it.
    uncertain: list[tuple[str, str]]
    #: For a model that leaks: another order in which it would be causal.
    hint: str | None
    #: The kind of graph, in a file that `pixelrnn export` wrote.
    holds: str | None
    #: Output, input and verdict of each check, if several checks were made.
    parts: list[tuple[str, str, str]]

    def __init__(self, found: _check.Found) -> None:
        self._found = found
        self._witness: Witness | None = None
        facts = found.facts()
        self._leak: _Leak | None = facts.pop("leak")
        facts["inputs"] = dict(facts["inputs"])
        for name, value in facts.items():
            setattr(self, name, value)

    @property
    def causal(self) -> bool:
        """Whether the model is proved causal, without conditions."""
        return self.verdict == "causal"

    def __bool__(self) -> bool:
        raise TypeError("a report is neither true nor false: ask for `report.causal`")

    @property
    def witness(self) -> Witness | None:
        """The first output that leaks, and the path of the leak; None if no output does."""
        if self._leak is not None and self._witness is None:
            output, value = self._leak
            try:
                path = self.path(output, value)
            except _check.ModelError:
                # The verdict is valid without the path.
                path = ()
            self._witness = Witness(output, value, path)
        return self._witness

    def leaks(self, limit: int = 100) -> list[_Leak]:
        """The first `limit` outputs that leak, each with the first value that it must not depend on."""
        return self._found.leaks(limit)

    def reads(self, row: int, column: int, color: int | None = None) -> npt.NDArray[np.bool_]:
        """The values that an output depends on, as an array (height, width, colors).

        The default color is the last one, which has the largest allowed context. Raises IndexError if
        the output is outside of the image.
        """
        data = self._found.reads(self._place((row, column), color))
        shape = (self.height, self.width, self.colors)
        return np.frombuffer(data, dtype=np.bool_).reshape(shape)

    def dependencies(self) -> npt.NDArray[np.bool_]:
        """The values that each output depends on.

        The shape is (height, width, colors, height, width, colors), outputs first. For a model of whole
        pixels, it is (height, width, height, width, colors). Raises ValueError if that is more than
        `memory` bytes.
        """
        data = np.frombuffer(self._found.dependencies(), dtype=np.bool_)
        image = (self.height, self.width, self.colors)
        return data.reshape((*(image[:2] if self.whole_pixels else image), *image))

    def path(self, output: Sequence[int], value: Sequence[int]) -> tuple[Hop, ...]:
        """The path from an output back to a value of the image. Both are (row, column[, color]).

        Raises ModelError if the output does not depend on the value.
        """
        return tuple(map(_hop, self._found.path(self._place(output), self._place(value))))

    def why_not(self, output: Sequence[int], value: Sequence[int]) -> Hop | None:
        """The node at which a zero or a mask stops the dependency of an output on a value.

        None if nothing in the graph connects them. Raises ModelError if the output does depend on
        the value.
        """
        parts = self._found.explain(self._place(output), self._place(value))
        return None if parts is None else _hop(parts)

    def _place(self, place: Sequence[int], color: int | None = None) -> tuple[int, int, int]:
        row, column, *rest = place
        chosen = rest[0] if rest else color
        return row, column, self.colors - 1 if chosen is None else chosen

    def text(self) -> str:
        """The report as text."""
        what = "pixels" if self.whole_pixels else "outputs"
        lines = [
            f"{self.verdict}: {self.leaking_outputs} of {self.outputs} {what} read what they must not",
            f"  image       {self.height} x {self.width}, {self.colors} colors, "
            f"values {self.range[0]:g} to {self.range[1]:g}, input `{self.input}`",
            f"  output      `{self.output}`, laid out {self.output_layout}",
            f"  blind spot  {100 * self.blind_share:.2f} % of earlier values are never read",
        ]
        lines += [f"  if          {condition}" for condition in self.conditions if not self.causal]
        lines += [f"  uncertain   {op} (`{node}`)" for op, node in self.uncertain if not self.causal]
        lines += [f"  hint        {self.hint}"] if self.hint else []
        if self.witness is not None:
            lines += ["  " + line for line in str(self.witness).splitlines()]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<pixelrnn.Report {self.verdict}: {self.leaking_outputs} of {self.outputs} leak>"

    def picture(self, row: int | None = None, column: int | None = None) -> str:
        """A map of the pixels that an output depends on, in characters.

        `#`: earlier, read. `.`: earlier, never read. `@`: the output's own pixel. `!`: a leak. Blank:
        later, not read. By default, the output is the first one that leaks, or else the one in the center.
        """
        marks = _picture.marks(self, *self._center(row, column))
        return "\n".join("".join(_picture.SIGNS[mark] for mark in line) for line in marks)

    def png(self, row: int | None = None, column: int | None = None, scale: int = 12) -> bytes:
        """The same map as a PNG file.

        Blue: earlier, read. Amber: earlier, never read. Black: the output's own pixel. Red: a leak.
        """
        return _picture.png(_picture.marks(self, *self._center(row, column)), scale)

    def _repr_png_(self) -> bytes:
        return self.png()

    def _center(self, row: int | None, column: int | None) -> tuple[int, int]:
        if row is None and column is None and self._leak is not None:
            return self._leak[0][0], self._leak[0][1]
        return (
            self.height // 2 if row is None else row,
            self.width // 2 if column is None else column,
        )


def check(
    model: str | os.PathLike[str] | bytes | Any,
    *,
    input: str | None = None,
    output: str | None = None,
    image: Sequence[int] | None = None,
    input_layout: str | None = None,
    output_layout: str | None = None,
    levels: int | None = None,
    order: Order | None = None,
    range: tuple[float, float] | None = None,
    conditions: bool = True,
    memory: int = 2 << 30,
    time: float = 60.0,
) -> Report:
    """Checks an ONNX model, given as a path, as bytes, or as an `onnx.ModelProto`.

    input: name of the input that is the image; detected by its shape by default.
    output: name of the output, or of an inner value, with the logits; by default the first output.
    image: (colors, height, width) or (height, width), if the file leaves them open.
    input_layout, output_layout: axes after the batch, such as "chw", "(cl)hw" or "hwcl" (l: the levels).
    levels: number of logits per value, if the layout is ambiguous.
    order: order of the colors of a pixel: "rgb", "bgr", or "pixel" for models of whole pixels.
    range: smallest and largest value of the image; by default -1 and 255.
    conditions: whether to look for conditions under which an unproved model would be causal.
    memory, time: limits in bytes and seconds.

    Raises ModelError if the model cannot be analyzed and OSError if the file cannot be read.
    """
    if image is not None and len(image) == 2:
        image = (1, *image)
    given = {
        "input": input,
        "output": output,
        "image": None if image is None else tuple(image),
        "input_layout": input_layout,
        "output_layout": output_layout,
        "levels": levels,
        "order": order,
        "range": range,
        "conditions": conditions,
        "memory": memory,
        "time": time,
    }
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    if isinstance(model, (bytes, bytearray, memoryview)):
        return Report(_check.check_model(bytes(model), given))
    return Report(_check.check_file(os.fspath(model), given))
