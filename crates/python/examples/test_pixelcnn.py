"""An example of a test for your own model: `pytest test_pixelcnn.py`."""

import pixelrnn
import pytest
import torch
from torch import nn


class MaskedConv(nn.Conv2d):
    """A convolution over the rows above, and its own row up to the center (or including it)."""

    def __init__(self, *args, include_center, **kwargs):
        super().__init__(*args, padding="same", **kwargs)
        mask = torch.ones_like(self.weight)
        row, column = mask.shape[2] // 2, mask.shape[3] // 2
        mask[:, :, row, column + include_center :] = 0
        mask[:, :, row + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, x):
        return self._conv_forward(x, self.weight * self.mask, self.bias)


class PixelCNN(nn.Module):
    def __init__(self, first_reads_center=False):
        super().__init__()
        self.stem = MaskedConv(1, 16, 7, include_center=first_reads_center)
        self.body = nn.ModuleList(MaskedConv(16, 16, 3, include_center=True) for _ in range(3))
        self.logits = nn.Conv2d(16, 4, 1)

    def forward(self, image):
        x = self.stem(image)
        for conv in self.body:
            x = x + conv(torch.relu(x))
        return self.logits(torch.relu(x))


def test_pixelcnn_is_causal():
    report = pixelrnn.assert_causal(PixelCNN(), (1, 28, 28))
    # The receptive field reaches six rows up.
    reads = report.reads(14, 14)[:, :, 0]
    assert reads[8:15].any(axis=1).all() and not reads[15:].any()


def test_a_wrong_first_mask_is_found():
    with pytest.raises(AssertionError, match="stem: Conv"):
        pixelrnn.assert_causal(PixelCNN(first_reads_center=True), (1, 28, 28))
