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
# An output and a value, each row, column, color.
_Leak = tuple[tuple[int, int, int], tuple[int, int, int]]


@dataclass(frozen=True)
class Hop:
    """One node on the path from an output back to the image."""

    #: The operator, as in the ONNX standard.
    operator: str
    #: The node's name.
    node: str
    #: The module it belongs to, `body.0.conv`; empty if the exporter does not say.
    module: str
    #: Where in the code it comes from, `model.py:12`; empty if the exporter does not say.
    source: str
    #: The element of the node's result, and the result's shape.
    element: tuple[int, ...]
    shape: tuple[int, ...]
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Witness:
    """An output that reads what it is to predict, the value that it reads, and the way between."""

    #: Row, column, color.
    output: tuple[int, int, int]
    input: tuple[int, int, int]
    #: From the output back to the image.
    path: tuple[Hop, ...]

    def __str__(self) -> str:
        lines = [f"output {self.output} reads input {self.input}"]
        return "\n".join(lines + [f"  <- {hop}" for hop in condensed(self.path)])


def condensed(hops: Sequence[Hop], limit: int = 16) -> list[Hop]:
    """At most `limit` hops, those in the middle left out."""
    hops = list(hops)
    if len(hops) <= limit:
        return hops
    half = limit // 2
    return hops[:half] + hops[-half:]


def _hop(parts: _check.HopParts) -> Hop:
    operator, node, module, source, element, shape, text = parts
    return Hop(operator, node, module, source, tuple(element), tuple(shape), text)


class Report:
    """What the outputs of a model depend on, and whether they may.

    Values of the image are numbered by row, column and color, whatever the layout in the file.
    """

    #: "causal": no image in `range` can move an output that must not move. "conditional": so it is if
    #: `conditions` hold. "uncertain": an operator that is not modeled exactly may read too much.
    #: "leaks": an output reads what it must not.
    verdict: Verdict
    colors: int
    height: int
    width: int
    #: Logits, or parameters, for each output.
    levels: int
    #: Whether an output stands for a whole pixel, not for one color of it.
    whole_pixels: bool
    #: Whether outputs may read the value at their own place, as in a sampler's file.
    own_place: bool
    order: Order
    #: The least and the largest value of an image.
    range: tuple[float, float]
    input: str
    output: str
    output_layout: str
    #: All inputs, each "image", "condition", "weights" or "unused".
    inputs: dict[str, str]
    nodes: int
    parameters: int
    outputs: int
    leaking_outputs: int
    #: The share of earlier values that are never read: the blind spot.
    blind_share: float
    conditions: list[str]
    #: Operators that are not modeled exactly, each with its first node.
    uncertain: list[tuple[str, str]]
    #: Another order in which a model that leaks is causal.
    hint: str | None
    #: What the metadata of a file of `pixelrnn export` say that it holds.
    holds: str | None
    #: Output, input and verdict where several things were asked of a file.
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
        """Outputs that leak, each with the first value that it must not read."""
        return self._found.leaks(limit)

    def reads(self, row: int, column: int, color: int | None = None) -> npt.NDArray[np.bool_]:
        """What an output reads, as an array (height, width, colors).

        Without a color it is the last one, which may read the most.
        """
        data = self._found.reads(self._place((row, column), color))
        shape = (self.height, self.width, self.colors)
        return np.frombuffer(data, dtype=np.bool_).reshape(shape)

    def dependencies(self) -> npt.NDArray[np.bool_]:
        """What every output reads.

        The shape is (height, width, colors, height, width, colors), outputs first; of a model of whole
        pixels (height, width, height, width, colors). Raises ValueError if that is more than `memory`
        bytes.
        """
        data = np.frombuffer(self._found.dependencies(), dtype=np.bool_)
        image = (self.height, self.width, self.colors)
        return data.reshape((*(image[:2] if self.whole_pixels else image), *image))

    def path(self, output: Sequence[int], value: Sequence[int]) -> tuple[Hop, ...]:
        """The path from an output back to a value of the image, both (row, column[, color]).

        Raises ModelError if the output does not depend on the value.
        """
        return tuple(map(_hop, self._found.path(self._place(output), self._place(value))))

    def why_not(self, output: Sequence[int], value: Sequence[int]) -> Hop | None:
        """The node at which a zero or a mask stops what comes from a value.

        None if nothing in the graph connects the two. Raises ModelError if the output does depend on
        the value.
        """
        parts = self._found.explain(self._place(output), self._place(value))
        return None if parts is None else _hop(parts)

    def _place(self, place: Sequence[int], color: int | None = None) -> tuple[int, int, int]:
        row, column, *rest = place
        chosen = rest[0] if rest else color
        return row, column, self.colors - 1 if chosen is None else chosen

    def text(self) -> str:
        """The result as text."""
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
        """A map of what an output reads, in characters: `#` read, `.` earlier and never read, `@` the
        output's pixel, `!` a leak, blank later. By default the output is the one in the center.
        """
        marks = _picture.marks(self, *self._center(row, column))
        return "\n".join("".join(_picture.SIGNS[mark] for mark in line) for line in marks)

    def png(self, row: int | None = None, column: int | None = None, scale: int = 12) -> bytes:
        """The same as a PNG file: blue read, amber never read, black the output, red a leak."""
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
    """Checks an ONNX model: a path, the bytes of a file, or an `onnx.ModelProto`.

    input: name of the input that is the image; by default the one that looks like it.
    output: name of the output, or of an inner value, that holds the logits; by default the first output.
    image: (colors, height, width) or (height, width), where the file leaves them open.
    input_layout, output_layout: axes behind the batch, as "chw", "(cl)hw" or "hwcl", l for the levels.
    levels: logits for each value, to tell layouts apart.
    order: of the colors of a pixel: "rgb", "bgr", or "pixel" for models of whole pixels.
    range: least and largest value of the image; by default -1 to 255.
    conditions: whether to look for conditions under which a model is causal.
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
