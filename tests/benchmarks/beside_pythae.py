"""A VAE of the zoo beside pythae's: the same network, data, passes and batches; likelihood, and time a step.

    python3 -m venv /tmp/pythae && /tmp/pythae/bin/pip install torch pythae
    python tests/benchmarks/beside_pythae.py /tmp/pythae/bin/python

MNIST cut at 0.5, so that both see the same binary pixels; 784-512-16, ReLU, Adam at 0.001, batches of 128, 20 passes
over 50,000 images. The time is that of the whole of each library's own way to train, `fit` or the training pipeline,
over its steps, ours compiled with `jit_compile=True, steps_per_execution=20`, as Keras offers. The likelihood is that
of the first 1,000 test images with 1,000 draws. The runs take turns, each twice, in processes of their own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PASSES, BATCH, TRAINED_ON, TESTED_ON, DRAWS, LATENTS, HIDDEN, REPEATS = 20, 128, 50_000, 1000, 1000, 16, 512, 2
STEPS_AT_ONCE = 20
PEER = Path(__file__).parent / "pythae_side.py"


def binary_mnist() -> dict[str, np.ndarray]:
    """Returns training and test images, float32 [n, 28, 28, 1], all 0 or 1."""
    from recipes.data import load

    data = load("mnist")
    parts = {"train": data.train[:TRAINED_ON], "test": data.test[:TESTED_ON]}
    return {name: (images > 0.5).astype(np.float32) for name, images in parts.items()}


def ours(images: dict[str, np.ndarray], seed: int) -> dict[str, float]:
    """Trains ours and returns "ms" a step and "nll" with its "error", in nats."""
    import keras

    import zoo
    from zoo.vae.likelihoods import Bernoulli

    keras.utils.set_random_seed(seed)
    encoder = zoo.networks.mlp_encoder((28, 28, 1), (HIDDEN,), "relu")
    decoder = zoo.networks.mlp_decoder(LATENTS, (28, 28, 1), (HIDDEN,), "relu")
    model = zoo.VAE(encoder, decoder, likelihood=Bernoulli("none"), seed=seed)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True, steps_per_execution=STEPS_AT_ONCE)
    start = time.perf_counter()
    model.fit(images["train"], batch_size=BATCH, epochs=PASSES, verbose=0)
    seconds = time.perf_counter() - start
    found = model.log_likelihood(images["test"], DRAWS)
    steps = PASSES * -(-TRAINED_ON // BATCH)
    return {"ms": 1000 * seconds / steps, "nll": -found.mean, "error": found.standard_error}


def theirs(python: str, data: Path, seed: int) -> dict[str, float]:
    """The same of pythae, in its own environment."""
    given = {"passes": PASSES, "batch": BATCH, "draws": DRAWS, "latents": LATENTS, "hidden": HIDDEN, "seed": seed}
    command = [python, str(PEER), str(data), json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def in_a_process(data: Path, seed: int) -> dict[str, float]:
    """Ours, in a process of its own like theirs."""
    command = [sys.executable, __file__, "--ours", str(data), str(seed)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Runs both in turns and prints a line a run, and the ratio of times."""
    if sys.argv[1] == "--ours":
        with np.load(sys.argv[2]) as images:
            print(json.dumps(ours(dict(images), int(sys.argv[3]))))
        return
    times: dict[str, list[float]] = {"zoo": [], "pythae": []}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "mnist.npz"
        np.savez(data, **binary_mnist())
        for seed in range(REPEATS):
            for name, found in (("zoo", in_a_process(data, seed)), ("pythae", theirs(sys.argv[1], data, seed))):
                times[name].append(found["ms"])
                nll = f"{found['nll']:.2f} +- {found['error']:.2f} nats"
                print(f"{name:7} seed {seed}: {found['ms']:.2f} ms a step, NLL {nll}", flush=True)
    print(f"time a step, ours over theirs: {np.mean(times['zoo']) / np.mean(times['pythae']):.2f}")


if __name__ == "__main__":
    main()
