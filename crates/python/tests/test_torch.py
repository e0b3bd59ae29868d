"""Tests with torch: modules are exported, and leaks are reported by the names of modules."""

import importlib.util
from pathlib import Path

import pixelrnn
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

ROOT = Path(__file__).parents[3]


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


models = load(ROOT / "tests" / "pytorch" / "check_models.py")


def case(name):
    """A model, the shape of its image, and the arguments for `assert_causal`."""
    c = models.MODELS[name]
    torch.manual_seed(0)
    size = models.SIZE + 1 if c.whole else models.SIZE
    shape = (size, size) if c.codes else (c.colors, size, size)
    more = {"args": (torch.tensor([3]),)} if c.label else {}
    if c.whole:
        more["order"] = "pixel"
    return c.build(), shape, more


RIGHT = ["plain_right", "gated_right", "plusplus_right", "snail_right", "codes_right", "lstm_right"]


@pytest.mark.parametrize("name", RIGHT)
def test_right_models_pass(name):
    model, shape, more = case(name)
    assert pixelrnn.assert_causal(model, shape, **more).causal


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plain_center_open", ["147 of 147 outputs", "stem: Conv", "check_models.py:"]),
        ("gated_no_shift", ["49 of 49", "vertical.0: Conv"]),
        ("plusplus_no_right_shift", ["64 of 64 pixels", "ul_right"]),
        ("snail_not_causal", ["48 of 49", "Snail: MatMul", "value: Conv"]),
        ("lstm_both_ways", ["48 of 49", "rnn: LSTM"]),
        ("groupnorm_over_maps", ["48 of 49", "norms."]),
    ],
)
def test_faults_are_told_in_the_modules_own_names(name, words):
    model, shape, more = case(name)
    with pytest.raises(AssertionError) as caught:
        pixelrnn.assert_causal(model, shape, **more)
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_the_module_is_left_as_it_is():
    model, shape, _ = case("batchnorm_right")
    model.train()
    model.norms[0].eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    pixelrnn.assert_causal(model, shape)
    assert model.training and model.norms[1].training and not model.norms[0].training
    after = model.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_layers_that_start_at_zero_hide_nothing():
    model, shape, _ = case("plain_center_open")
    torch.nn.init.zeros_(model.out.weight)
    with pytest.raises(AssertionError, match="147 of 147"):
        pixelrnn.assert_causal(model, shape)
    pixelrnn.assert_causal(model, shape, keep_zeros=True)


def test_bytes_of_an_export_can_be_checked():
    model, shape, _ = case("plain_right")
    report = pixelrnn.check(pixelrnn.export(model, shape), range=(0, 1))
    assert report.causal and report.inputs == {"image": "image"}
