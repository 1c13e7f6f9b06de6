"""What a million seeded Normal numbers cost, beside TensorFlow's own stateless ones.

python tests/benchmarks/random_noise.py
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from export import onnx
from export.session import open_session
from zoo import random
from zoo.signature import COUNT, SEED, NamedTensor, Signature

COUNT_DRAWN, RUNS = 1_000_000, 21


def milliseconds(run: Callable[[int], object]) -> list[float]:
    """Returns the time of each of `RUNS` calls after two that do not count."""
    times = []
    for seed in range(-2, RUNS):
        started = time.perf_counter()
        run(seed)
        if seed >= 0:
            times.append((time.perf_counter() - started) * 1e3)
    return times


def compiled(function: Callable[[tf.Tensor], tf.Tensor], jit_compile: bool = False) -> Callable[[int], object]:
    """Returns the function as a graph that takes a seed."""
    graph = tf.function(function, jit_compile=jit_compile, autograph=False)
    return lambda seed: graph(tf.constant(seed, tf.int64)).numpy()


def in_onnx_runtime() -> Callable[[int], object]:
    """Returns `zoo.random.normal` in ONNX Runtime."""
    output = NamedTensor("noise", ("n",))
    signature = Signature("noise", lambda seed, n: {"noise": random.normal(n[None], seed)}, (SEED, COUNT), (output,))
    session = open_session(onnx.convert(signature).SerializeToString(), "noise")
    return lambda seed: session.run(None, {"seed": np.array(max(seed, 0)), "n": np.array(COUNT_DRAWN)})


def main() -> None:
    """Prints the medians and their ratio to TensorFlow's op."""
    shape = [COUNT_DRAWN]
    contenders = {
        "tf.random.stateless_normal": compiled(lambda seed: tf.random.stateless_normal(shape, tf.stack([seed, seed]))),
        "zoo.random.normal, graph": compiled(lambda seed: random.normal(shape, seed)),
        "zoo.random.normal, XLA": compiled(lambda seed: random.normal(shape, seed), jit_compile=True),
        "zoo.random.normal, ONNX Runtime": in_onnx_runtime(),
    }
    medians = {name: statistics.median(milliseconds(run)) for name, run in contenders.items()}
    for name, median in medians.items():
        ratio = median / medians["tf.random.stateless_normal"]
        print(f"{name:34} {median:7.1f} ms a million   {ratio:5.2f} of TensorFlow's")


if __name__ == "__main__":
    main()
