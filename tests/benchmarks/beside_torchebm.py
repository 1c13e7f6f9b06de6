"""Steps of Langevin dynamics and of HMC beside torchebm and a bare torch loop, on one convolutional energy.

    python3 -m venv /tmp/torchebm && /tmp/torchebm/bin/pip install torchebm
    python tests/benchmarks/beside_torchebm.py /tmp/torchebm/bin/python [STEPS]

The energy is `conv_energy((28, 28, 1))`: convolutions of 4x4 with 32, 64 and 128 filters that halve the image, swish,
and dense layers of 128 and 1. Steps a second of a batch of chains that run for so many steps in one call, noise
included; every way to run them has a process of its own, they take turns, and medians over rounds count.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

STEPS, ROUNDS, REPEATS, BATCHES, LEAPFROG = 200, 5, 3, (1, 16, 128), 5
PEER = Path(__file__).parent / "torchebm_side.py"
OURS = {
    "zoo float32": ("float32", False),
    "zoo float32 jit": ("float32", True),
    "zoo bfloat16": ("mixed_bfloat16", False),
}
THEIRS = ("torchebm", "torch loop")


def ours(policy: str, jit: bool, batch: int, steps: int, kind: str) -> float:
    """Returns the milliseconds of a step of all chains."""
    import keras
    import tensorflow as tf

    import zoo
    from zoo.ebm import samplers
    from zoo.ebm.samplers.base import State

    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(0)
    model = zoo.EBM(zoo.networks.conv_energy((28, 28, 1)))
    sampler = samplers.UnadjustedLangevin(1e-4) if kind == "langevin" else samplers.HMC(1e-2, LEAPFROG)

    @tf.function(jit_compile=jit, autograph=False)
    def run(start: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        def step(index: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return index + 1, sampler.step(state, zoo.random.fold_in(seed, index), model.energy_of, index)

        state = sampler.init(start, model.energy_of)
        return tf.while_loop(lambda index, _: index < steps, step, (tf.zeros([], tf.int64), state))[1].position

    start = tf.constant(np.random.default_rng(0).random((batch, 28, 28, 1), np.float32))
    run(start, tf.constant(0, tf.int64))
    times = []
    for seed in range(ROUNDS):
        began = time.perf_counter()
        run(start, tf.constant(seed, tf.int64)).numpy()
        times.append((time.perf_counter() - began) / steps)
    return 1000 * float(np.median(times))


def measured(command: list[str]) -> float:
    """Runs a process and returns the last number that it prints."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Runs all in turns and prints the median of each, and theirs over our best."""
    if sys.argv[1] == "--ours":
        print(ours(*json.loads(sys.argv[2])))
        return
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else STEPS
    for kind in ("langevin", "hmc"):
        for batch in BATCHES:
            found: dict[str, list[float]] = {
                name: [] for name in (*OURS, *(THEIRS if kind == "langevin" else THEIRS[:1]))
            }
            for _ in range(REPEATS):
                for name, how in OURS.items():
                    given = json.dumps([*how, batch, steps, kind])
                    found[name].append(measured([sys.executable, __file__, "--ours", given]))
                for name in [name for name in found if name not in OURS]:
                    given = json.dumps([name, batch, steps, kind, ROUNDS, LEAPFROG])
                    found[name].append(measured([sys.argv[1], str(PEER), given]))
            medians = {name: float(np.median(values)) for name, values in found.items()}
            print(f"{kind}, batch {batch}: ms a step")
            for name, values in found.items():
                print(f"  {name:18} {medians[name]:8.3f} ({', '.join(f'{value:.3f}' for value in values)})")
            theirs = min(value for name, value in medians.items() if name not in OURS)
            for label, names in (("best", OURS), ("best in float32", [name for name in OURS if "float32" in name])):
                print(f"  steps a second, our {label} over theirs: {theirs / min(medians[n] for n in names):.2f}")


if __name__ == "__main__":
    main()
