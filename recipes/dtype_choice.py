"""Which dtype this machine trains in more quickly: by processor, bfloat16 gains or loses much time."""

import time
from typing import Any

import keras

from recipes.settings import Settings

_SHAPE, _KERNEL, _ROUNDS = (32, 14, 14, 64), (4, 4, 64, 128), 3


def fastest_dtype(jit_compile: bool = False) -> str:
    """Returns "mixed_bfloat16" or "float32", by the time of a convolution and its gradients in each; it takes a second.

    Processors with instructions for products in bfloat16 (AMX, AVX-512 BF16) and GPUs gain from it; others emulate them
    and lose.
    """
    return min(("float32", "mixed_bfloat16"), key=lambda policy: _seconds(policy, jit_compile))


def with_dtype_chosen(settings: Settings) -> Settings:
    """Returns the settings with a dtype in the place of "auto", so that a run says what it was trained in."""
    if settings.train.dtype != "auto":
        return settings
    train = settings.train.model_copy(update={"dtype": fastest_dtype(settings.train.jit_compile)})
    return settings.model_copy(update={"train": train})


def _seconds(policy: str, jit_compile: bool) -> float:
    """Returns the least time of a few rounds."""
    import tensorflow as tf

    dtype = keras.DTypePolicy(policy).compute_dtype
    images, kernel = tf.zeros(_SHAPE, dtype), tf.zeros(_KERNEL, dtype)

    @tf.function(autograph=False, jit_compile=jit_compile)
    def step() -> Any:
        with tf.GradientTape() as tape:
            tape.watch((images, kernel))
            made = tf.nn.conv2d(images, kernel, 2, "SAME")
        return tape.gradient(made, [images, kernel])

    step()
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        for gradient in step():
            gradient.numpy()
        times.append(time.perf_counter() - start)
    return min(times)
