"""Pictures of the pixels that an output depends on."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._report import Report

LATER, READ, UNREAD, OUTPUT, LEAK = range(5)
SIGNS = " #.@!"
COLORS = np.array(
    [(0xE4, 0xE7, 0xEB), (0x2F, 0x6D, 0xB5), (0xF2, 0xA9, 0x3B), (0x1B, 0x1F, 0x24), (0xD6, 0x27, 0x28)],
    dtype=np.uint8,
)


def marks(report: Report, row: int, column: int) -> npt.NDArray[np.int64]:
    """The mark of each pixel, as an array (height, width)."""
    seen = report.reads(row, column).any(axis=2)
    place = np.arange(seen.size).reshape(seen.shape)
    own = row * seen.shape[1] + column
    found = np.where(place < own, np.where(seen, READ, UNREAD), np.where(seen, LEAK, LATER))
    # The output's own pixel is a leak if one of its colors depends on too much.
    colors = range(report.colors) if not report.whole_pixels else [0]
    leaks = False
    for color in colors:
        reads = report.reads(row, column, color)[row, column]
        free = color + 1 if report.own_place else color
        allowed = np.arange(report.colors) < (free if report.order == "rgb" else 0)
        if report.order == "bgr":
            allowed = np.arange(report.colors) > color - int(report.own_place)
        leaks = leaks or bool((reads & ~allowed).any())
    found[row, column] = LEAK if leaks else OUTPUT
    return found


def png(found: npt.NDArray[np.int64], scale: int) -> bytes:
    """A PNG file in which each mark is a square of `scale` pixels, with lines between the squares."""
    pixels = COLORS[found].repeat(scale, axis=0).repeat(scale, axis=1)
    if scale > 3:
        pixels[::scale] = 255
        pixels[:, ::scale] = 255
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(rows.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
