"""Trains exported graphs on several processes or machines: onnxruntime computes, MPI averages the gradients.

Each rank computes the gradients of its part of a batch with the graph `grad`. An all-reduce averages them, and every
rank runs the graph `update` on the averages, so all of them keep the same parameters.

    cargo run --release --bin pixelrnn -- export digits-diagonal --graph grad -o grad.onnx
    cargo run --release --bin pixelrnn -- export digits-diagonal --graph update --optimizer adam -o update.onnx
    pip install onnxruntime numpy mpi4py
    mpirun -n 2 python -m mpi4py examples/train_with_mpi4py.py grad.onnx update.onnx

With `-m mpi4py`, an error on one rank ends all of them.
"""

import sys
import time

import numpy as np
import onnxruntime
from mpi4py import MPI

BATCH = 16
STEPS = 60

world = MPI.COMM_WORLD
rank, size = world.Get_rank(), world.Get_size()
if BATCH % size:
    sys.exit(f"{size} ranks do not divide a batch of {BATCH}" if rank == 0 else 2)

options = onnxruntime.SessionOptions()
# The ranks of one machine share its cores.
options.intra_op_num_threads = 1
grad, update = (
    onnxruntime.InferenceSession(path, options)
    for path in (sys.argv[1:] if len(sys.argv) == 3 else ["grad.onnx", "update.onnx"])
)


def run(session, inputs):
    inputs = {i.name: inputs[i.name] for i in session.get_inputs()}
    return dict(zip((o.name for o in session.get_outputs()), session.run(None, inputs)))


# The same numbers on all ranks: slots of the optimizer start at zero, its counters at one, weights small.
random = np.random.default_rng(0)
shapes = {i.name: i.shape for i in update.get_inputs()}
state = {}
for name in [o.name.removesuffix(".next") for o in update.get_outputs() if o.name.endswith(".next")]:
    if name.endswith(("_power", "_steps")):
        state[name] = np.ones(shapes[name], np.float32)
    elif name.endswith((".bias", "_bias", ".square", ".mean", ".momentum")):
        state[name] = np.zeros(shapes[name], np.float32)
    else:
        state[name] = random.uniform(-0.1, 0.1, shapes[name]).astype(np.float32)

_, colours, height, width = next(i.shape for i in grad.get_inputs() if i.name == "image")
own = slice(rank * BATCH // size, (rank + 1) * BATCH // size)
rate = np.array([3e-3], np.float32)
losses = []
began = time.perf_counter()
for step in range(STEPS):
    # Stripes of 17 levels, each image shifted by chance: something that can be learnt.
    shift = random.integers(0, 8, (BATCH, 1, 1, 1))
    columns = (np.arange(width) + shift) % 8 * 2
    image = np.broadcast_to(columns, (BATCH, colours, height, width)).astype(np.float32)
    found = run(grad, {"image": image[own], **state})

    # The loss and all gradients in one message.
    flat = np.concatenate([array.ravel() for array in found.values()])
    world.Allreduce(MPI.IN_PLACE, flat, MPI.SUM)
    flat /= size
    ends = np.cumsum([array.size for array in found.values()])
    parts = np.split(flat, ends[:-1])
    mean = {name: part.reshape(found[name].shape) for name, part in zip(found, parts)}

    losses.append(float(mean["loss"][0]))
    state = {
        name.removesuffix(".next"): array
        for name, array in run(update, {"learning_rate": rate, **state, **mean}).items()
    }
seconds = time.perf_counter() - began

# The all-reduce gave all ranks the same sums, so they went the same way.
checks = world.gather(b"".join(state[name].tobytes() for name in sorted(state)))
if rank == 0:
    assert all(check == checks[0] for check in checks), "the ranks have different parameters"
    print(f"loss {losses[0]:.1f} -> {losses[-1]:.1f} nats per image in {STEPS} steps on {size} ranks, {seconds:.1f} s")
    assert losses[-1] < losses[0] / 2
