"""Tests that do not need torch: files, bytes, errors, arrays and pictures."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pixelrnn
import pytest

CASES = Path(__file__).parents[2] / "check" / "tests" / "cases"


def test_a_file_that_is_causal():
    report = pixelrnn.check(CASES / "lstm_raster.onnx")
    assert report.causal and report.verdict == "causal"
    assert (report.outputs, report.leaking_outputs, report.witness) == (64, 0, None)
    assert report.leaks() == []
    all_reads = report.dependencies()
    assert all_reads.shape == (8, 8, 1, 8, 8, 1) and all_reads.dtype == np.bool_
    # An output depends on all earlier values, and on nothing else.
    assert (all_reads.reshape(64, 64) == np.tri(64, k=-1, dtype=bool)).all()
    assert (report.reads(3, 5) == all_reads[3, 5, 0]).all()


def test_a_leak_has_a_witness_with_its_path():
    path = CASES / "updown_wrong.onnx"
    report = pixelrnn.check(path.read_bytes())
    assert (report.verdict, report.leaking_outputs) == ("leaks", 24)
    witness = report.witness
    assert witness is not None and witness.output == witness.input == (1, 0, 0)
    assert "ConvTranspose" in [hop.operator for hop in witness.path]
    assert len(report.leaks()) == 24 and report.leaks(2)[0] == ((1, 0, 0), (1, 0, 0))
    assert "24 of 64" in str(report) and "<- ConvTranspose" in str(report)
    assert repr(report) == "<pixelrnn.Report leaks: 24 of 64 leak>"


def test_options():
    path = str(CASES / "attention_add_1e4.onnx")
    report = pixelrnn.check(path)
    assert report.verdict == "conditional" and "scores stay above" in report.conditions[0]
    assert pixelrnn.check(path, range=(0, 1)).causal
    whole = pixelrnn.check(CASES / "whole_pixel.onnx", order="pixel")
    assert whole.whole_pixels and whole.dependencies().shape[:2] == (whole.height, whole.width)
    assert len(whole.dependencies().shape) == 5
    with pytest.raises(ValueError, match="order"):
        pixelrnn.check(path, order="gbr")
    with pytest.raises(ValueError, match="range"):
        pixelrnn.check(path, range=(1, 0))
    with pytest.raises(TypeError):
        pixelrnn.check(path, rnage=(0, 1))


def test_what_is_not_seen_is_explained():
    report = pixelrnn.check(CASES / "pytorch" / "plain_external_right.onnx")
    assert report.why_not((3, 3), (3, 4)).operator == "Conv"
    hops = report.path((3, 3), (3, 2))
    assert hops and hops[-1].shape
    with pytest.raises(pixelrnn.ModelError, match="does not depend"):
        report.path((3, 3), (3, 4))
    with pytest.raises(IndexError):
        report.reads(7, 0)
    with pytest.raises(IndexError):
        report.path((0, 99), (0, 0))


def test_errors():
    with pytest.raises(OSError, match="cannot read"):
        pixelrnn.check("missing.onnx")
    with pytest.raises(pixelrnn.ModelError, match="not an ONNX model"):
        pixelrnn.check(b"\xff\xff")
    with pytest.raises(pixelrnn.ModelError, match="outside the model's folder"):
        pixelrnn.check(CASES / "external_outside.onnx")
    with pytest.raises(TypeError, match="report.causal"):
        assert pixelrnn.check(CASES / "lstm_raster.onnx")


def test_pictures():
    report = pixelrnn.check(CASES / "updown_wrong.onnx")
    lines = report.picture(1, 0).splitlines()
    assert len(lines) == 8 and lines[1][0] == "!" and set("".join(lines)) <= set(" #.@!")
    right = pixelrnn.check(CASES / "lstm_raster.onnx").picture().splitlines()
    assert right[:4] == ["########"] * 4 and right[4] == "####@   "
    data = report._repr_png_()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert (width, height) == (96, 96)
    start = data.index(b"IDAT") + 4
    assert len(zlib.decompress(data[start:-16])) == 96 * (1 + 3 * 96)
