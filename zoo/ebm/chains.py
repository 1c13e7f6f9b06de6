"""Runs chains of a sampler on an energy, and keeps what they went through."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.ebm.energies import Energy, as_energy, check_energy, checked_position
from zoo.ebm.samplers.base import Sampler, State
from zoo.errors import ZooError
from zoo.validation import check_count, check_seed

_NUMBERS = 1 << 24  # of positions that one call of the graph keeps
_STEPS = 1000  # from one look at the chains to the next


class Chains(NamedTuple):
    """What chains went through.

    positions: [draws, chains, ...].
    energies: [draws, chains].
    acceptance: The probability of each step to be accepted, [draws, chains], or None for a sampler that refuses none.
    calibrated: Whether the draws are of p in the long run.
    """

    positions: np.ndarray
    energies: np.ndarray
    acceptance: np.ndarray | None
    calibrated: bool


def run_chains(
    energy: Energy,
    sampler: Sampler,
    positions: Any,
    draws: int,
    burn_in: int = 0,
    thin: int = 1,
    seed: int = 0,
    jit_compile: bool = True,
    verbose: bool = False,
) -> Chains:
    """Runs a batch of chains and keeps every so many-th of their positions.

    Args:
        energy: From positions [chains, ...] to energies [chains], or a Keras network that gives one number a row.
        sampler: One of `zoo.ebm.samplers`.
        positions: Where the chains start, floats [chains, ...].
        draws: How many positions to keep of each chain.
        burn_in: Steps before the first that counts.
        thin: Steps from one draw to the next.
        seed: Decides the noise.
        jit_compile: Whether to compile the steps with XLA.
        verbose: Whether to show a progress bar.

    Returns:
        The draws.

    Raises:
        ZooError: An argument is not as described, or a chain reached values that are not finite.
    """
    draws, burn_in, thin = check_count(draws, "draws"), check_count(burn_in, "burn_in", 0), check_count(thin, "thin")
    start = checked_position(positions, sampler.bounds)
    energy = as_energy(energy)
    check_energy(sampler.energy_at(energy, 0), start)
    seed = check_seed(seed)
    adapting = getattr(sampler, "adaptation_steps", 0)
    if adapting > burn_in:
        raise ZooError(
            f"adaptation_steps is {adapting} and burn_in {burn_in}: draws are not of p while the step size adapts. "
            f"Give burn_in={adapting} or more."
        )
    at_once = max(1, min(draws, _NUMBERS // max(1, int(tf.size(start))), _STEPS // thin))
    run = _graph(energy, sampler, seed, at_once, jit_compile)
    progress = keras.utils.Progbar(burn_in + draws * thin, unit_name="step") if verbose else None
    state, parts, taken = tf.function(lambda: sampler.init(start, energy), autograph=False)(), [], 0
    for count, apart in _pieces(draws, burn_in, thin, at_once):
        given = (tf.constant(number, dtype) for number, dtype in ((taken, "int64"), (count, "int32"), (apart, "int64")))
        state, values = run(state, *given)
        taken += count * apart
        _check(state, sampler, taken)
        if taken > burn_in:
            parts.append([value[:count].numpy() for value in values])
        if progress is not None:
            progress.update(taken)
    positions, energies, acceptance = (np.concatenate(values) for values in zip(*parts, strict=True))
    return Chains(positions, energies, acceptance if sampler.calibrated else None, sampler.calibrated)


def _graph(energy: Energy, sampler: Sampler, seed: int, at_once: int, jit_compile: bool) -> Any:
    """Returns a graph that takes so many draws, so many steps apart, and gives them with the last state.

    It serves for the steps before the first draw too, as one draw far from the start, so that it is compiled once.
    """

    def take(state: State, first: tf.Tensor, steps: tf.Tensor) -> State:
        def step(index: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
            return index + 1, sampler.step(state, random.fold_in(seed, index), energy, index)

        return tf.while_loop(lambda index, _: index < first + steps, step, (first, state))[1]

    @tf.function(jit_compile=jit_compile, autograph=False)
    def run(state: State, first: tf.Tensor, count: tf.Tensor, apart: tf.Tensor) -> tuple[State, Any]:
        kept = [tf.TensorArray(each.dtype, at_once, element_shape=each.shape) for each in _kept(state)]

        def draw(index: tf.Tensor, state: State, kept: list) -> tuple:
            state = take(state, first + tf.cast(index, tf.int64) * apart, apart)
            return index + 1, state, [each.write(index, value) for each, value in zip(kept, _kept(state), strict=True)]

        _, state, kept = tf.while_loop(lambda index, *_: index < count, draw, (0, state, kept))
        return state, [each.stack() for each in kept]

    return run


def _pieces(draws: int, burn_in: int, thin: int, at_once: int) -> Iterator[tuple[int, int]]:
    """Yields how many draws to take at a time, and how many steps apart."""
    for first in range(0, burn_in, _STEPS):
        yield 1, min(_STEPS, burn_in - first)
    for first in range(0, draws, at_once):
        yield min(at_once, draws - first), thin


def _kept(state: State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    return state.position, state.energy, state.acceptance


def _check(state: State, sampler: Sampler, steps: int) -> None:
    """Checks that chains are where energies are finite.

    Raises:
        ZooError: One is not.
    """
    finite = tf.math.is_finite(state.energy)
    inside = tf.reduce_all(tf.math.is_finite(tf.reshape(state.position, [state.position.shape[0], -1])), axis=1)
    lost = int(tf.reduce_sum(tf.cast(~(finite & inside), tf.int32)))
    if lost:
        raise ZooError(
            f"{lost} of {state.position.shape[0]} chains of {type(sampler).__name__} diverged within {steps} steps: "
            "their positions or energies are not finite. Lower step_size, or give bounds or gradient_clip."
        )
