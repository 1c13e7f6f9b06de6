"""A step of a DCGAN of the zoo beside the same one in a bare torch loop.

    python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch
    python tests/benchmarks/beside_torch.py /tmp/torch/bin/python

28x28 images, a generator with 128 and 64 channels and a discriminator with 64 and 128, batch statistics, latents of
64, batches of 64, Adam. A step is one of the discriminator, on a real and a generated batch, and one of the generator
on a new batch. Ours is `fit` whole: seeded noise, checks, metrics and the average of the generator included. Every way
to run it has a process of its own; they take turns, each three times, and the median of rounds of 40 steps counts.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

BATCH, LATENTS, STEPS, ROUNDS, REPEATS = 64, 64, 40, 6, 3
PEER = Path(__file__).parent / "torch_side.py"
OURS = {
    "zoo float32": ("float32", False),
    "zoo float32 jit": ("float32", True),
    "zoo bfloat16": ("mixed_bfloat16", False),
    "zoo bfloat16 jit": ("mixed_bfloat16", True),
}
THEIRS = {
    f"torch {dtype}{' lean' if loop == 'lean' else ''}": (dtype, loop)
    for dtype in ("float32", "bfloat16")
    for loop in ("plain", "lean")
}


def ours(policy: str, jit: bool) -> float:
    """Returns the milliseconds of a step."""
    import keras

    import zoo

    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(0)
    networks = zoo.networks
    model = zoo.GAN(
        networks.dcgan_generator((28, 28, 1), LATENTS, (128, 64)), networks.dcgan_discriminator((28, 28, 1), (64, 128))
    )
    model.compile(jit_compile=jit)
    images = np.random.default_rng(0).random((STEPS * BATCH, 28, 28, 1), np.float32)
    model.fit(images, batch_size=BATCH, verbose=0)
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        model.fit(images, batch_size=BATCH, verbose=0)
        times.append((time.perf_counter() - start) / STEPS)
    return 1000 * float(np.median(times))


def measured(command: list[str]) -> float:
    """Runs a process and returns the last number that it prints."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Runs all in turns and prints the median of each, and our best over theirs."""
    if sys.argv[1] == "--ours":
        print(ours(sys.argv[2], json.loads(sys.argv[3])))
        return
    found: dict[str, list[float]] = {name: [] for name in (*OURS, *THEIRS)}
    given = json.dumps({"batch": BATCH, "latents": LATENTS, "steps": STEPS, "rounds": ROUNDS})
    for _ in range(REPEATS):
        for name, (policy, jit) in OURS.items():
            found[name].append(measured([sys.executable, __file__, "--ours", policy, json.dumps(jit)]))
        for name, how in THEIRS.items():
            found[name].append(measured([sys.argv[1], str(PEER), *how, given]))
    medians = {name: float(np.median(values)) for name, values in found.items()}
    for name, values in found.items():
        print(f"{name:20} {medians[name]:6.1f} ms a step ({', '.join(f'{value:.1f}' for value in values)})")
    best = min(medians[name] for name in OURS)
    for name in THEIRS:
        print(f"our best over {name}: {best / medians[name]:.2f}")


if __name__ == "__main__":
    main()
