"""Times one of the MNIST models in PyTorch or JAX: what `pixelrnn gpu-report` compares with. Prints one JSON object.

PyTorch runs eagerly what a careful user would write, JAX a jitted `lax.scan`: masks on the weights, both diagonal
directions in one batched recurrence. A training step is forward, backward and RMSProp; the images are on the device.
"""

import argparse
import importlib.metadata
import json
import os
import statistics
import time

MODELS = ["mnist-diagonal", "mnist-row-lstm", "mnist-pixelcnn"]
SIDE, FEATURES, LAYERS, HIDDEN = 28, 16, 7, 32


def median_ms(call, runs, seconds):
    """The median of the timed calls, after one to warm up; `call` waits for the device."""
    call()
    times, begun = [], time.perf_counter()
    while len(times) < runs and (len(times) < 3 or time.perf_counter() - begun < seconds):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def torch_models(torch):
    nn, F = torch.nn, torch.nn.functional

    class MaskedConv(nn.Module):
        def __init__(self, inputs, outputs, kernel, kind="B"):
            super().__init__()
            height, width = kernel
            self.conv = nn.Conv2d(inputs, outputs, kernel, padding=(height // 2, width // 2))
            mask = torch.ones(height, width)
            mask[height // 2, width // 2 + (kind == "B"):] = 0
            mask[height // 2 + 1:] = 0
            self.register_buffer("mask", mask)

        def forward(self, x):
            conv = self.conv
            return F.conv2d(x, conv.weight * self.mask, conv.bias, padding=conv.padding)

    def cell(gates, c, axis):
        """Gates o, f, i, g along an axis."""
        sigmoids, g = gates.split([3 * FEATURES, FEATURES], axis)
        o, f, i = sigmoids.sigmoid().chunk(3, axis)
        c = f * c + i * g.tanh()
        return o * c.tanh(), c

    class RowLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.from_input = MaskedConv(2 * FEATURES, 4 * FEATURES, (1, 3))
            self.from_state = nn.Conv1d(FEATURES, 4 * FEATURES, 3, padding=1, bias=False)

        def forward(self, x):
            h = x.new_zeros(len(x), FEATURES, SIDE)
            c, rows = h, []
            for row in self.from_input(x).unbind(2):
                h, c = cell(row + self.from_state(h), c, 1)
                rows.append(h)
            return torch.stack(rows, 2)

    class DiagonalBiLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.from_input = nn.Conv2d(2 * FEATURES, 8 * FEATURES, 1)
            self.from_state = nn.Parameter(torch.randn(2, 2 * FEATURES, 4 * FEATURES) / 8)

        def forward(self, x):
            n, steps = len(x), 2 * SIDE - 1
            left, right = self.from_input(x).chunk(2, 1)
            both = torch.stack([left, right.flip(3)])
            # Row y is moved y columns to the right: diagonals become columns.
            both = F.pad(both, (0, SIDE)).flatten(3)[..., :SIDE * steps]
            both = both.view(2, n, 4 * FEATURES, SIDE, steps).permute(4, 0, 1, 3, 2)
            h = x.new_zeros(2, n, SIDE, FEATURES)
            c, columns = h, []
            for diagonal in both.unbind(0):
                read = torch.cat([F.pad(h, (0, 0, 1, 0))[:, :, :SIDE], h], 3)
                gates = torch.baddbmm(diagonal.reshape(2, n * SIDE, -1),
                                      read.view(2, n * SIDE, -1), self.from_state)
                h, c = cell(gates.view(2, n, SIDE, -1), c, -1)
                columns.append(h)
            maps = torch.stack(columns).permute(1, 2, 4, 3, 0).flatten(3)
            maps = F.pad(maps, (0, SIDE)).view(2, n, FEATURES, SIDE, 2 * SIDE)[..., :SIDE]
            # The right direction is moved down one row.
            return maps[0] + F.pad(maps[1].flip(3), (0, 0, 1, 0))[:, :, :SIDE]

    class Block(nn.Module):
        def __init__(self, name):
            super().__init__()
            wide, narrow = 2 * FEATURES, FEATURES
            if name == "mnist-pixelcnn":
                convs = [(wide, narrow, (1, 1)), (narrow, narrow, (3, 3)), (narrow, wide, (1, 1))]
                self.inner = nn.Sequential(
                    *(part for conv in convs for part in (nn.ReLU(), MaskedConv(*conv))))
            else:
                lstm = RowLSTM() if name == "mnist-row-lstm" else DiagonalBiLSTM()
                self.inner = nn.Sequential(lstm, MaskedConv(narrow, wide, (1, 1)))

        def forward(self, x):
            return x + self.inner(x)

    return lambda name: nn.Sequential(
        MaskedConv(1, 2 * FEATURES, (7, 7), "A"), *(Block(name) for _ in range(LAYERS)),
        nn.ReLU(), MaskedConv(2 * FEATURES, HIDDEN, (1, 1)),
        nn.ReLU(), MaskedConv(HIDDEN, 1, (1, 1)))


def with_torch(a):
    import torch

    if a.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(f"PyTorch {torch.__version__} sees no GPU")
    device = torch.device(a.device)
    torch.manual_seed(0)
    model = torch_models(torch)(a.model).to(device)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    images = (torch.rand(a.batch, 1, SIDE, SIDE, device=device) < 0.13).float()
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits

    def wait():
        if a.device == "cuda":
            torch.cuda.synchronize()

    def train():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(images), images, reduction="sum") / a.batch
        loss.backward()
        optimizer.step()
        wait()

    @torch.no_grad()
    def forward():
        model(images)
        wait()

    results = []
    for tf32 in (False, True) if a.device == "cuda" else (False,):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        for graph, call in (("forward", forward), ("train", train)):
            ms = median_ms(call, a.runs, a.seconds)
            results.append({"graph": graph, "tf32": tf32, "median_ms": ms})
    name = torch.cuda.get_device_name(device) if a.device == "cuda" else "CPU"
    return torch.__version__, name, results


def with_jax(a):
    # Else it takes most of the memory of the GPU at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ.setdefault("JAX_PLATFORMS", a.device)
    import jax
    import jax.numpy as jnp
    from jax import lax

    keys = iter(jax.random.split(jax.random.PRNGKey(0), 200))
    masks, params = [], []

    def add(shape, scale, mask=None):
        """A weight; its index."""
        params.append(scale * jax.random.normal(next(keys), shape))
        masks.append(mask)
        return len(params) - 1

    def conv(inputs, outputs, kernel, kind="B"):
        height, width = kernel
        mask = jnp.ones((height, width, 1, 1))
        mask = mask.at[height // 2, width // 2 + (kind == "B"):].set(0).at[height // 2 + 1:].set(0)
        weight = add((height, width, inputs, outputs), (height * width * inputs) ** -0.5, mask)
        bias = add((outputs,), 0.0)

        def apply(p, x):
            numbers = ("NHWC", "HWIO", "NHWC")
            y = lax.conv_general_dilated(x, p[weight] * mask, (1, 1), "SAME", dimension_numbers=numbers)
            return y + p[bias]

        return apply

    def cell(gates, c):
        o, f, i, g = jnp.split(gates, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    def row_lstm():
        from_input = conv(2 * FEATURES, 4 * FEATURES, (1, 3))
        state = add((3 * FEATURES, 4 * FEATURES), 0.125)

        def apply(p, x):
            def step(carry, row):
                h, c = carry
                padded = jnp.pad(h, ((0, 0), (1, 1), (0, 0)))
                read = jnp.concatenate([padded[:, :-2], h, padded[:, 2:]], -1)
                h, c = cell(row + read @ p[state], c)
                return (h, c), h

            zero = jnp.zeros((x.shape[0], SIDE, FEATURES))
            rows = from_input(p, x).transpose(1, 0, 2, 3)
            return lax.scan(step, (zero, zero), rows)[1].transpose(1, 0, 2, 3)

        return apply

    def diagonal_bilstm():
        from_input = conv(2 * FEATURES, 8 * FEATURES, (1, 1))
        state = add((2, 2 * FEATURES, 4 * FEATURES), 0.125)
        steps = 2 * SIDE - 1

        def apply(p, x):
            n = x.shape[0]
            left, right = jnp.split(from_input(p, x), 2, -1)
            both = jnp.stack([left, right[:, :, ::-1]])
            # Row y is moved y columns to the right: diagonals become columns.
            both = jnp.pad(both, ((0, 0), (0, 0), (0, 0), (0, SIDE), (0, 0)))
            both = both.reshape(2, n, SIDE * 2 * SIDE, -1)[:, :, :SIDE * steps]
            both = both.reshape(2, n, SIDE, steps, -1).transpose(3, 0, 1, 2, 4)

            def step(carry, diagonal):
                h, c = carry
                above = jnp.pad(h, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :SIDE]
                read = jnp.concatenate([above, h], -1).reshape(2, n * SIDE, -1)
                h, c = cell(diagonal + (read @ p[state]).reshape(2, n, SIDE, -1), c)
                return (h, c), h

            zero = jnp.zeros((2, n, SIDE, FEATURES))
            maps = lax.scan(step, (zero, zero), both)[1].transpose(1, 2, 3, 0, 4)
            maps = maps.reshape(2, n, SIDE * steps, FEATURES)
            maps = jnp.pad(maps, ((0, 0), (0, 0), (0, SIDE), (0, 0)))
            maps = maps.reshape(2, n, SIDE, 2 * SIDE, FEATURES)[:, :, :, :SIDE]
            # The right direction is moved down one row.
            right = jnp.pad(maps[1][:, :, ::-1], ((0, 0), (1, 0), (0, 0), (0, 0)))
            return maps[0] + right[:, :SIDE]

        return apply

    def block():
        wide, narrow = 2 * FEATURES, FEATURES
        if a.model == "mnist-pixelcnn":
            shapes = [(wide, narrow, (1, 1)), (narrow, narrow, (3, 3)), (narrow, wide, (1, 1))]
            convs = [conv(*shape) for shape in shapes]

            def inner(p, x):
                for each in convs:
                    x = each(p, jax.nn.relu(x))
                return x
        else:
            lstm = row_lstm() if a.model == "mnist-row-lstm" else diagonal_bilstm()
            up = conv(narrow, wide, (1, 1))
            inner = lambda p, x: up(p, lstm(p, x))
        return lambda p, x: x + inner(p, x)

    stem = conv(1, 2 * FEATURES, (7, 7), "A")
    blocks = [block() for _ in range(LAYERS)]
    hidden, last = conv(2 * FEATURES, HIDDEN, (1, 1)), conv(HIDDEN, 1, (1, 1))

    def model(p, x):
        y = stem(p, x)
        for each in blocks:
            y = each(p, y)
        return last(p, jax.nn.relu(hidden(p, jax.nn.relu(y))))

    def loss(p, x):
        y = model(p, x)
        return jnp.sum(jnp.maximum(y, 0) - y * x + jnp.log1p(jnp.exp(-jnp.abs(y)))) / x.shape[0]

    def step(p, v, x):
        value, gradient = jax.value_and_grad(loss)(p, x)
        v = [0.99 * v + 0.01 * g * g for v, g in zip(v, gradient)]
        p = [p - 1e-3 * g / (jnp.sqrt(v) + 1e-8) for p, v, g in zip(p, v, gradient)]
        return p, v, value

    images = (jax.random.uniform(next(keys), (a.batch, SIDE, SIDE, 1)) < 0.13).astype(jnp.float32)
    results = []
    for tf32 in (False, True) if a.device == "cuda" else (False,):
        with jax.default_matmul_precision("tensorfloat32" if tf32 else "float32"):
            infer = jax.jit(lambda p, x: model(p, x))
            update = jax.jit(lambda p, v, x: step(p, v, x), donate_argnums=(0, 1))
            now = [[jnp.array(p) for p in params], [jnp.zeros_like(p) for p in params]]

            def train():
                now[0], now[1], value = update(now[0], now[1], images)
                value.block_until_ready()

            calls = (("forward", lambda: infer(params, images).block_until_ready()), ("train", train))
            for graph, call in calls:
                ms = median_ms(call, a.runs, a.seconds)
                results.append({"graph": graph, "tf32": tf32, "median_ms": ms})
    return jax.__version__, jax.devices()[0].device_kind, results


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("peer", choices=["torch", "jax"])
    arguments.add_argument("model", choices=MODELS)
    arguments.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    arguments.add_argument("--batch", type=int, default=16)
    arguments.add_argument("--runs", type=int, default=20)
    arguments.add_argument("--seconds", type=float, default=2.0, help="the most time for one graph")
    a = arguments.parse_args()
    try:
        importlib.metadata.version(a.peer)
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit("not found")
    version, device, results = {"torch": with_torch, "jax": with_jax}[a.peer](a)
    print(json.dumps({"peer": a.peer, "version": version, "device": device, "batch": a.batch, "results": results}))


if __name__ == "__main__":
    main()
