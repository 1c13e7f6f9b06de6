"""The log partition function log Z, by annealed importance sampling (Neal 2001) from both directions.

    p_b(x) proportional to exp(log_density(x, b))        b from 0, where all is known, to 1, the model
    log w = sum_k log_density(x_k, b_{k+1}) - log_density(x_k, b_k)        x_k moved by steps that leave p_b_k as it is

Forward, from draws of p_0, E[w] = Z_1 / Z_0, and the mean of log w is a lower bound in expectation. Backward, from
draws of p_1, E[w] = Z_0 / Z_1, and minus the mean of log w is an upper bound (Burda et al. 2015; Grosse et al. 2015,
section 3.2), as far as those draws are of p_1. Where the two do not meet, neither is to be trusted.
"""

import math
import warnings
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.ebm.energies import Energy, as_energy, check_energy
from zoo.ebm.samplers.base import Sampler
from zoo.errors import ZooError
from zoo.validation import check_count, check_seed

_STEPS = 500  # temperatures that one call of the graph goes through
_DOUBT = 3.0  # standard errors between both directions that are taken for chance
_FEW = 10  # runs that carry an estimate, below which its own spread says too little of its error


class AnnealingPath(Protocol):
    """What leads from a distribution that is known to a model.

    Attributes:
        log_start: log Z of p_0.
    """

    log_start: float

    def start(self, chains: int, seed: random.Seed) -> tf.Tensor:
        """Returns draws of p_0, [chains, ...]."""
        ...

    def log_density(self, position: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        """Returns the logarithm of p_b without its constant, [chains]; `share` is b, a scalar."""
        ...

    def step(self, position: tf.Tensor, share: tf.Tensor, seed: random.Seed) -> tf.Tensor:
        """Returns positions one step on, of a kind that leaves p_b as it is."""
        ...


class LogPartition(NamedTuple):
    """An estimate of log Z, in nats.

    value: The logarithm of the mean weight of the forward runs.
    standard_error: Of it.
    lower_bound: The mean log weight, below log Z in expectation.
    lower_bound_error: Its standard error.
    upper_bound: The same from behind, above log Z in expectation if the backward runs start from draws of the model;
        None without backward runs.
    upper_bound_error: Its standard error, or None.
    backward_value: The estimate of the backward runs, or None.
    effective_chains: How many of the forward runs carry the estimate: the square of the sum of weights over the sum of
        their squares.
    """

    value: float
    standard_error: float
    lower_bound: float
    lower_bound_error: float
    upper_bound: float | None
    upper_bound_error: float | None
    backward_value: float | None
    effective_chains: float


def annealed_importance_sampling(
    path: AnnealingPath,
    temperatures: int = 10_000,
    chains: int = 100,
    seed: int = 0,
    backward_from: Any = None,
    verbose: bool = False,
) -> LogPartition:
    """Estimates log Z of the end of a path.

    Args:
        path: `GeometricPath`, `RBMPath`, or another.
        temperatures: Steps from b = 0 to b = 1, evenly spaced. More bring both bounds together.
        chains: Runs, at least two.
        seed: Decides the noise.
        backward_from: Draws of the model, [runs, ...], for runs from behind, which bound log Z from above; or None. The
            bound holds as far as these are draws of the model: chains that ran long.
        verbose: Whether to show a progress bar.

    Returns:
        The estimate, with bounds and standard errors over runs.

    Raises:
        ZooError: An argument is out of its range, or a weight is not finite.
    """
    temperatures, seed = check_count(temperatures, "temperatures"), check_seed(seed)
    chains = check_count(chains, "chains", 2)
    run = _graph(path)
    start = path.start(chains, random.fold_in(seed, 0))
    log_weights = path.log_start + _log_weights(run, start, temperatures, False, random.fold_in(seed, 1), verbose)
    value, error, effective = _log_mean(log_weights)
    lower, lower_error = _mean(log_weights)
    if effective < min(_FEW, chains / 2):
        warnings.warn(
            f"{effective:.1f} of {chains} runs carry log Z, so that it is too small more often than its standard error "
            "says, and likelihoods too large. Give more temperatures.",
            stacklevel=2,
        )
    if backward_from is None:
        return LogPartition(value, error, lower, lower_error, None, None, None, effective)
    ends = tf.convert_to_tensor(backward_from, start.dtype)
    if ends.shape[1:] != start.shape[1:] or len(ends) < 2:
        raise ZooError(
            f"backward_from has shape {ends.shape.as_list()}, expected {[None, *start.shape[1:]]}, two rows or more."
        )
    log_back = path.log_start - _log_weights(run, ends, temperatures, True, random.fold_in(seed, 2), verbose)
    upper, upper_error = _mean(log_back)
    inverse, back_error, _ = _log_mean(-log_back)
    backward = -inverse
    if abs(value - backward) > _DOUBT * math.hypot(error, back_error) + 0.1:
        warnings.warn(
            f"log Z is {value:.2f} +- {error:.2f} nats by runs from the start and {backward:.2f} +- {back_error:.2f} "
            "by runs from behind: they do not meet. Give more temperatures, or draws of the model from longer chains.",
            stacklevel=2,
        )
    return LogPartition(value, error, lower, lower_error, upper, upper_error, backward, effective)


class GeometricPath:
    """log p_b = (1 - b) log p_0 - b E, moved by a calibrated sampler.

    Args:
        energy: From positions [chains, ...] to energies [chains].
        start: A distribution of TensorFlow Probability whose event is a position.
        sampler: Of `zoo.ebm.samplers`, calibrated: `HamiltonianMonteCarlo(0.1)`.

    Raises:
        ZooError: The sampler is not calibrated, or the energy is not as described.
    """

    log_start = 0.0

    def __init__(self, energy: Energy, start: Any, sampler: Sampler):
        if not sampler.calibrated:
            raise ZooError(
                f"{type(sampler).__name__} is not calibrated: its steps change p_b, and weights would be wrong. Take "
                "HamiltonianMonteCarlo or MetropolisAdjustedLangevin."
            )
        if getattr(sampler, "adaptation_steps", 0):
            raise ZooError("a step size that adapts changes p_b: give the sampler adaptation_steps=0.")
        self.distribution, self.sampler = start, sampler
        self.energy = as_energy(energy)
        position = self.start(2, 0)
        if self.distribution.log_prob(position).shape != (2,):
            raise ZooError(
                f"start is {type(start).__name__} with batches of {list(start.batch_shape)}, expected one whose event "
                "is a whole position: put it into tfd.Independent, or take tfd.MultivariateNormalDiag."
            )
        check_energy(self.energy, position)

    def start(self, chains: int, seed: random.Seed) -> tf.Tensor:
        """Returns draws of the distribution to start from."""
        words = tf.bitcast(random.bits([2], seed), tf.int32)
        return self.distribution.sample(chains, seed=words)

    def log_density(self, position: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
        """Returns (1 - b) log p_0 - b E."""
        share = tf.cast(share, position.dtype)
        return (1 - share) * self.distribution.log_prob(position) - share * self.energy(position)

    def step(self, position: tf.Tensor, share: tf.Tensor, seed: random.Seed) -> tf.Tensor:
        """Returns positions one step of the sampler on."""

        def energy(values: tf.Tensor) -> tf.Tensor:
            """Returns -log p_b."""
            return -self.log_density(values, share)

        state = self.sampler.init(position, energy)
        return self.sampler.step(state, seed, energy, tf.constant(0, tf.int64)).position


def _graph(path: AnnealingPath) -> Any:
    @tf.function(autograph=False)
    def run(
        position: tf.Tensor, first: tf.Tensor, last: tf.Tensor, seed: tf.Tensor, count: tf.Tensor, back: Any
    ) -> Any:
        def share(index: tf.Tensor) -> tf.Tensor:
            reached = tf.cast(index, tf.float64) / tf.cast(count, tf.float64)
            return tf.cast(tf.where(back, 1 - reached, reached), tf.float32)

        def step(index: tf.Tensor, position: tf.Tensor, total: tf.Tensor) -> tuple:
            here, there = share(index), share(index + 1)
            gained = path.log_density(position, there) - path.log_density(position, here)
            moved = path.step(position, there, random.fold_in(seed, index))
            return index + 1, moved, total + tf.cast(gained, tf.float64)

        total = tf.zeros([tf.shape(position)[0]], tf.float64)
        return tf.while_loop(lambda index, *_: index < last, step, (first, position, total))[1:]

    return run


def _log_weights(run: Any, position: tf.Tensor, count: int, back: bool, seed: tf.Tensor, verbose: bool) -> np.ndarray:
    total, progress = np.zeros(len(position)), keras.utils.Progbar(count, unit_name="step") if verbose else None
    for first in range(0, count, _STEPS):
        last = min(count, first + _STEPS)
        limits = (tf.constant(first, tf.int64), tf.constant(last, tf.int64))
        position, gained = run(position, *limits, seed, tf.constant(count, tf.int64), tf.constant(back))
        total += gained.numpy()
        if not np.isfinite(total).all():
            raise ZooError(f"a weight is no longer finite after {last} of {count} temperatures: the model is damaged.")
        if progress is not None:
            progress.update(last)
    return total


def _log_mean(log_weights: np.ndarray) -> tuple[float, float, float]:
    """Returns the logarithm of the mean weight, its standard error, and how many weights carry it."""
    largest = log_weights.max()
    weights = np.exp(log_weights - largest)
    error = weights.std(ddof=1) / weights.mean() / math.sqrt(len(weights))
    effective = np.square(weights.sum()) / np.square(weights).sum()
    return float(largest + np.log(weights.mean())), float(error), float(effective)


def _mean(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))
