"""Small autoregressive models in the ways that people write them in PyTorch, each with faulty twins.

`MODELS` maps a name to a `Case`. The first word of a name is the architecture, the rest the fault; names
that end in `right` are causal.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

SIZE = 7
LEVELS = 4


@dataclass
class Case:
    build: Callable[[], nn.Module]
    colors: int = 1
    # Whether the output holds parameters of whole pixels.
    whole: bool = False
    # Whether the image is of integer codes.
    codes: bool = False
    label: bool = False
    exporter: str = "dynamo"
    dtype: torch.dtype = torch.float32
    # "static" or "dynamic": quantized by ONNX Runtime after the export.
    quantize: str = ""
    # Leave the weights in a file beside the model, as the exporter does by default.
    external: bool = False


def mask_of(weight, kind, colors, last=False):
    """The mask of a masked convolution; channels are dealt to the colors in turn."""
    out, inside, height, width = weight.shape
    mask = torch.ones_like(weight)
    row, column = height // 2, width // 2
    mask[:, :, row, column + 1 :] = 0
    mask[:, :, row + 1 :] = 0
    for o in range(out):
        for i in range(inside):
            later = (i % colors) > (o % colors) or (kind == "A" and i % colors == o % colors)
            if later:
                mask[o, i, row, column] = 0
    return mask


class MaskedConv(nn.Conv2d):
    def __init__(self, kind, colors, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer("mask", mask_of(self.weight.data, kind, colors))

    def forward(self, x):
        return self._conv_forward(x, self.weight * self.mask, self.bias)


class Plain(nn.Module):
    """PixelCNN with masks for colors; logits are (batch, levels, colors, height, width)."""

    def __init__(self, colors=3, first="A", norm=None, mask_output=True):
        super().__init__()
        h, self.colors = 4 * colors, colors
        self.stem = MaskedConv(first, colors, colors, h, 5, padding=2)
        self.body = nn.ModuleList(MaskedConv("B", colors, h, h, 3, padding=1) for _ in range(2))
        self.norms = nn.ModuleList(norm(h) if norm else nn.Identity() for _ in range(2))
        self.out = (
            MaskedConv("B", colors, h, LEVELS * colors, 1)
            if mask_output
            else nn.Conv2d(h, LEVELS * colors, 1)
        )

    def forward(self, image):
        x = self.stem(image)
        for conv, norm in zip(self.body, self.norms):
            x = x + conv(F.elu(norm(x)))
        n, _, h, w = image.shape
        return self.out(F.elu(x)).view(n, LEVELS, self.colors, h, w)


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of each pixel."""

    def __init__(self, h):
        super().__init__()
        self.norm = nn.LayerNorm(h)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PixelGroupNorm(nn.Module):
    """GroupNorm of each pixel by itself."""

    def __init__(self, h):
        super().__init__()
        self.norm = nn.GroupNorm(2, h)

    def forward(self, x):
        n, c, h, w = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(n * h * w, c)
        return self.norm(pixels).view(n, h, w, c).permute(0, 3, 1, 2)


class SpaceGroupNorm(nn.GroupNorm):
    def __init__(self, h):
        super().__init__(2, h)


class MapLayerNorm(nn.LayerNorm):
    def __init__(self, h):
        super().__init__([h, SIZE, SIZE])


class Gated(nn.Module):
    """Gated PixelCNN: a vertical and a horizontal stack, conditioned on a label."""

    def __init__(self, shift=True, h=6, layers=3):
        super().__init__()
        self.shift, self.h, self.layers = shift, h, layers
        self.vertical = nn.ModuleList(
            nn.Conv2d(1 if i == 0 else h, 2 * h, (2, 3)) for i in range(layers)
        )
        self.link = nn.ModuleList(nn.Conv2d(2 * h, 2 * h, 1) for _ in range(layers))
        self.horizontal = nn.ModuleList(
            nn.Conv2d(1 if i == 0 else h, 2 * h, (1, 2 if i else 1)) for i in range(layers)
        )
        self.label = nn.ModuleList(nn.Embedding(10, 2 * h) for _ in range(layers))
        self.out = nn.Conv2d(h, LEVELS, 1)

    @staticmethod
    def gate(x):
        a, b = x.chunk(2, dim=1)
        return torch.tanh(a) * torch.sigmoid(b)

    def forward(self, image, label):
        v = x = image
        for i in range(self.layers):
            # Two rows: the own one and the one above.
            v = self.vertical[i](F.pad(v, (1, 1, 1, 0)))
            above = F.pad(v, (0, 0, 1, 0))[:, :, :-1] if self.shift else v
            if i == 0:
                left = self.horizontal[i](F.pad(x, (1, 0))[:, :, :, :-1])
            else:
                left = self.horizontal[i](F.pad(x, (1, 0)))
            bias = self.label[i](label)[:, :, None, None]
            new = self.gate(left + self.link[i](above) + bias)
            x = new if i == 0 else x + new
            v = self.gate(v + bias)
        return self.out(F.relu(x))


def down_shift(x):
    return F.pad(x, (0, 0, 1, 0))[:, :, :-1, :]


def right_shift(x):
    return F.pad(x, (1, 0))[:, :, :, :-1]


def concat_elu(x):
    return F.elu(torch.cat([x, -x], dim=1))


class DownConv(nn.Module):
    """A convolution that sees rows up to its own."""

    def __init__(self, a, b, stride=1):
        super().__init__()
        self.conv = weight_norm(nn.Conv2d(a, b, (2, 3), stride))

    def forward(self, x):
        return self.conv(F.pad(x, (1, 1, 1, 0)))


class DownRightConv(nn.Module):
    """A convolution that sees rows above, and its own up to its column."""

    def __init__(self, a, b, stride=1):
        super().__init__()
        self.conv = weight_norm(nn.Conv2d(a, b, (2, 2), stride))

    def forward(self, x):
        return self.conv(F.pad(x, (1, 0, 1, 0)))


class DownDeconv(nn.Module):
    """The transposed convolution of PixelCNN++: cut so that rows below are not seen."""

    def __init__(self, a, b):
        super().__init__()
        self.conv = weight_norm(nn.ConvTranspose2d(a, b, (2, 3), 2, output_padding=(0, 1)))

    def forward(self, x):
        x = self.conv(x)
        return x[:, :, :, 1 : x.shape[3] - 1]


class DownRightDeconv(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.conv = weight_norm(nn.ConvTranspose2d(a, b, (2, 2), 2))

    def forward(self, x):
        return self.conv(x)


class PlusPlus(nn.Module):
    """A small PixelCNN++: two streams, one step down and one up, parameters of whole pixels."""

    def __init__(self, fault="", h=6):
        super().__init__()
        self.fault = fault
        self.u_init = DownConv(4, h)
        self.ul_down, self.ul_right = DownConv(4, h), DownRightConv(4, h)
        self.u_block, self.ul_block = DownConv(2 * h, h), DownRightConv(2 * h, h)
        self.nin = weight_norm(nn.Conv2d(2 * h, h, 1))
        self.u_less, self.ul_less = DownConv(h, h, 2), DownRightConv(h, h, 2)
        self.u_more, self.ul_more = DownDeconv(h, h), DownRightDeconv(h, h)
        self.out = weight_norm(nn.Conv2d(h, 10, 1))

    def forward(self, image):
        x = F.pad(image, (0, 0, 0, 0, 0, 1), value=1.0)
        u = self.u_init(x)
        u = u if self.fault == "no_down_shift" else down_shift(u)
        left = self.ul_right(x)
        left = left if self.fault == "no_right_shift" else right_shift(left)
        ul = down_shift(self.ul_down(x)) + left
        u1 = u + self.u_block(concat_elu(u))
        ul1 = ul + self.ul_block(concat_elu(ul)) + self.nin(concat_elu(u1))
        u2, ul2 = self.u_less(u1), self.ul_less(ul1)
        u3 = self.u_more(F.elu(u2)) + u1
        up = self.ul_more(F.elu(ul2))
        if self.fault == "nearest":
            up = F.interpolate(ul2, scale_factor=2)
        if self.fault == "bilinear":
            up = F.interpolate(ul2, scale_factor=2, mode="bilinear")
        ul3 = up + ul1 + self.nin(concat_elu(u3))
        return self.out(F.elu(ul3))


class Snail(nn.Module):
    """PixelSNAIL in small: causal convolutions and causal attention over the raster."""

    def __init__(self, fault="", h=8, heads=2):
        super().__init__()
        self.fault, self.heads = fault, heads
        self.stem = MaskedConv("A", 1, 1, h, 3, padding=1)
        self.conv = MaskedConv("B", 1, h, h, 3, padding=1)
        self.query, self.key, self.value = (nn.Conv2d(h + 2, h, 1) for _ in range(3))
        self.image_key = nn.Conv2d(3, h, 1)
        self.out = nn.Conv2d(2 * h, LEVELS, 1)
        axis = torch.linspace(-1, 1, SIZE)
        place = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))
        self.register_buffer("place", place[None])

    def split(self, x):
        n, c, h, w = x.shape
        return x.view(n, self.heads, c // self.heads, h * w).transpose(2, 3)

    def forward(self, image):
        x = self.stem(image)
        x = x + self.conv(F.elu(x))
        place = self.place.expand(image.shape[0], -1, -1, -1)
        seen = torch.cat([x, place], 1)
        key = self.key(seen)
        if self.fault == "image_keys":
            key = self.image_key(torch.cat([image, place], 1))
        parts = [self.split(t) for t in (self.query(seen), key, self.value(seen))]
        causal = self.fault != "not_causal"
        y = F.scaled_dot_product_attention(*parts, is_causal=causal)
        y = y.transpose(2, 3).reshape(x.shape)
        return self.out(F.elu(torch.cat([x, y], 1)))


class Codes(nn.Module):
    """Levels as integers, embedded; logits have the levels last."""

    def __init__(self, first="A", h=8):
        super().__init__()
        self.embed = nn.Embedding(LEVELS, h)
        self.stem = MaskedConv(first, 1, h, h, 3, padding=1)
        self.body = MaskedConv("B", 1, h, h, 3, padding=1)
        self.out = nn.Linear(h, LEVELS)

    def forward(self, codes):
        x = self.stem(self.embed(codes).permute(0, 3, 1, 2))
        x = F.gelu(x + self.body(F.gelu(x)))
        return self.out(x.permute(0, 2, 3, 1))


class Raster(nn.Module):
    """A recurrent layer over the pixels in raster order."""

    def __init__(self, layer=nn.LSTM, shift=True, both=False, layers=1, h=6):
        super().__init__()
        self.shift = shift
        self.rnn = layer(1, h, layers, batch_first=True, bidirectional=both)
        self.out = nn.Linear(2 * h if both else h, LEVELS)

    def forward(self, image):
        n, _, h, w = image.shape
        x = image.reshape(n, h * w, 1)
        if self.shift:
            x = F.pad(x, (0, 0, 1, 0))[:, :-1]
        y, _ = self.rnn(x)
        return self.out(y).view(n, h, w, LEVELS)


class Transformer(nn.Module):
    """An image transformer on codes: start token, learned positions, a mask of -inf."""

    def __init__(self, diagonal=1, start=True, h=8):
        super().__init__()
        self.start, n = start, SIZE * SIZE
        self.embed = nn.Embedding(LEVELS + 1, h)
        self.place = nn.Parameter(torch.randn(n, h))
        layer = nn.TransformerEncoderLayer(
            h, 2, 2 * h, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(h, LEVELS, bias=False)
        mask = torch.triu(torch.full((n, n), -math.inf), diagonal)
        self.register_buffer("mask", mask)

    def forward(self, codes):
        n, h, w = codes.shape
        x = codes.reshape(n, h * w)
        if self.start:
            x = F.pad(x, (1, 0), value=LEVELS)[:, :-1]
        x = self.body(self.embed(x) + self.place, mask=self.mask, is_causal=False)
        return self.out(x).view(n, h, w, LEVELS)


MODELS = {
    "plain_right": Case(Plain, colors=3),
    "plain_center_open": Case(lambda: Plain(first="B"), colors=3),
    "plain_output_unmasked": Case(lambda: Plain(mask_output=False), colors=3),
    "plain_half_right": Case(Plain, colors=3, dtype=torch.float16),
    "plain_half_center_open": Case(lambda: Plain(1, "B"), dtype=torch.float16),
    "plain_legacy_right": Case(Plain, colors=3, exporter="legacy"),
    "plain_legacy_center_open": Case(lambda: Plain(first="B"), colors=3, exporter="legacy"),
    "plain_external_right": Case(lambda: Plain(1), external=True),
    "batchnorm_right": Case(lambda: Plain(1, norm=nn.BatchNorm2d)),
    "layernorm_right": Case(lambda: Plain(1, norm=ChannelNorm)),
    "layernorm_over_maps": Case(lambda: Plain(1, norm=MapLayerNorm)),
    "groupnorm_right": Case(lambda: Plain(1, norm=PixelGroupNorm)),
    "groupnorm_over_maps": Case(lambda: Plain(1, norm=SpaceGroupNorm)),
    "instancenorm_over_maps": Case(lambda: Plain(1, norm=nn.InstanceNorm2d)),
    "gated_right": Case(Gated, label=True),
    "gated_no_shift": Case(lambda: Gated(False), label=True),
    "plusplus_right": Case(PlusPlus, colors=3, whole=True),
    "plusplus_no_down_shift": Case(lambda: PlusPlus("no_down_shift"), colors=3, whole=True),
    "plusplus_no_right_shift": Case(lambda: PlusPlus("no_right_shift"), colors=3, whole=True),
    "plusplus_nearest_right": Case(lambda: PlusPlus("nearest"), colors=3, whole=True),
    "plusplus_bilinear": Case(lambda: PlusPlus("bilinear"), colors=3, whole=True),
    "snail_right": Case(Snail),
    "snail_not_causal": Case(lambda: Snail("not_causal")),
    "snail_image_keys": Case(lambda: Snail("image_keys")),
    "snail_legacy_right": Case(Snail, exporter="legacy"),
    "codes_right": Case(Codes, codes=True),
    "codes_center_open": Case(lambda: Codes("B"), codes=True),
    "lstm_right": Case(Raster),
    "lstm_no_shift": Case(lambda: Raster(shift=False)),
    "lstm_both_ways": Case(lambda: Raster(both=True)),
    "lstm_two_layers_right": Case(lambda: Raster(layers=2)),
    "lstm_legacy_right": Case(Raster, exporter="legacy"),
    "lstm_legacy_both_ways": Case(lambda: Raster(both=True), exporter="legacy"),
    "gru_right": Case(lambda: Raster(nn.GRU)),
    "gru_both_ways": Case(lambda: Raster(nn.GRU, both=True)),
    "transformer_right": Case(Transformer, codes=True),
    "transformer_mask_off_by_one": Case(lambda: Transformer(2), codes=True),
    "transformer_no_start": Case(lambda: Transformer(start=False), codes=True),
    "quantized_static_right": Case(lambda: Plain(1), quantize="static"),
    "quantized_static_center_open": Case(lambda: Plain(1, "B"), quantize="static"),
    "quantized_dynamic": Case(lambda: Plain(1), quantize="dynamic"),
}
