"""Samplers with a Metropolis test, through `tfp.mcmc`: their steps leave p(x) as it is.

    MetropolisAdjustedLangevin   one Langevin step as the proposal                       (Roberts and Tweedie 1996)
    HamiltonianMonteCarlo        several leapfrog steps with a random momentum           (Neal 2011, section 3)
    NoUTurn                      as many of them as go on leading away from the start    (Hoffman and Gelman 2014)

The step size can adapt itself while chains warm up (Hoffman and Gelman 2014, section 3.2); samples are of p only once
it rests.
"""

from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import mcmc

from zoo import random
from zoo.ebm.energies import Energy
from zoo.ebm.samplers.base import Sampler, State
from zoo.errors import ZooError
from zoo.random import Seed
from zoo.validation import check_count, check_positive


class _Metropolis(Sampler):
    """Base of those here.

    Args:
        step_size: Above 0; where it starts, if it adapts.
        adaptation_steps: For how many steps it adapts; leave these out as `burn_in`.
        target_acceptance: The mean acceptance that it adapts to, in (0, 1).
    """

    calibrated = True

    def __init__(self, step_size: float, adaptation_steps: int, target_acceptance: float):
        self.step_size = check_positive(step_size, "step_size")
        self.adaptation_steps = check_count(adaptation_steps, "adaptation_steps", least=0)
        if not 0 < target_acceptance < 1:
            raise ZooError(f"target_acceptance is {target_acceptance!r}, expected between 0 and 1.")
        self.target_acceptance = float(target_acceptance)

    def _transition(self, log_probability: Any, step_size: tf.Tensor) -> Any:
        raise NotImplementedError

    def _kernel(self, energy: Energy, dtype: Any) -> Any:
        kernel = self._transition(lambda position: -energy(position), tf.constant(self.step_size, dtype))
        if not self.adaptation_steps:
            return kernel
        return mcmc.DualAveragingStepSizeAdaptation(
            kernel,
            self.adaptation_steps,
            tf.constant(self.target_acceptance, dtype),
        )

    def init(self, position: tf.Tensor, energy: Energy) -> State:
        """Returns the state of chains that start at positions [chains, ...]."""
        results = self._kernel(energy, position.dtype).bootstrap_results(position)
        values = energy(position)
        return State(position, values, (), results, tf.ones_like(values))

    def step(self, state: State, seed: Seed, energy: Energy, index: Seed, first: Seed = 0) -> State:
        """Returns the state one step on."""
        kernel = self._kernel(energy, state.position.dtype)
        words = tf.bitcast(random.bits([2], seed), tf.int32)
        position, results = kernel.one_step(state.position, state.memory, seed=words)
        inner = results.inner_results if self.adaptation_steps else results
        acceptance = tf.exp(tf.minimum(inner.log_accept_ratio, 0))
        # A ratio that is not finite is of a step that diverged, and was refused.
        acceptance = tf.where(tf.math.is_finite(acceptance), acceptance, 0)
        accepted = getattr(inner, "accepted_results", inner)
        return State(position, -accepted.target_log_prob, (), results, acceptance)


@keras.saving.register_keras_serializable(package="zoo")
class MetropolisAdjustedLangevin(_Metropolis):
    """Langevin dynamics whose steps are accepted or refused (MALA).

    One leapfrog step of length sqrt(2 h) is a Langevin step of size h (Neal 2011, section 5.2), and so it is taken.

    Args:
        step_size: h, as of `UnadjustedLangevin`.
        adaptation_steps: For how many steps it adapts; leave these out as `burn_in`.
        target_acceptance: The acceptance that it adapts to; 0.574 is best in many dimensions (Roberts and Rosenthal
            1998).

    Raises:
        ZooError: A number is out of its range.
    """

    def __init__(self, step_size: float = 0.1, adaptation_steps: int = 0, target_acceptance: float = 0.574):
        super().__init__(step_size, adaptation_steps, target_acceptance)

    def _transition(self, log_probability: Any, step_size: tf.Tensor) -> Any:
        return mcmc.HamiltonianMonteCarlo(log_probability, tf.sqrt(2 * step_size), num_leapfrog_steps=1)


@keras.saving.register_keras_serializable(package="zoo")
class HamiltonianMonteCarlo(_Metropolis):
    """Hamiltonian dynamics by leapfrog steps, accepted or refused at their end.

    Args:
        step_size: Of a leapfrog step.
        leapfrog_steps: Of one step of the chain.
        adaptation_steps: For how many steps the step size adapts; leave these out as `burn_in`.
        target_acceptance: The acceptance that it adapts to; 0.651 is best in many dimensions (Beskos et al. 2013).

    Raises:
        ZooError: A number is out of its range.
    """

    def __init__(
        self,
        step_size: float = 0.1,
        leapfrog_steps: int = 10,
        adaptation_steps: int = 0,
        target_acceptance: float = 0.651,
    ):
        super().__init__(step_size, adaptation_steps, target_acceptance)
        self.leapfrog_steps = check_count(leapfrog_steps, "leapfrog_steps")

    def _transition(self, log_probability: Any, step_size: tf.Tensor) -> Any:
        return mcmc.HamiltonianMonteCarlo(log_probability, step_size, self.leapfrog_steps)


@keras.saving.register_keras_serializable(package="zoo")
class NoUTurn(_Metropolis):
    """Hamiltonian dynamics that stops before it turns back (NUTS).

    Args:
        step_size: Of a leapfrog step.
        max_tree_depth: A step takes at most 2 to this power leapfrog steps.
        adaptation_steps: For how many steps the step size adapts; leave these out as `burn_in`.
        target_acceptance: The acceptance that it adapts to.

    Raises:
        ZooError: A number is out of its range.
    """

    def __init__(
        self,
        step_size: float = 0.1,
        max_tree_depth: int = 8,
        adaptation_steps: int = 0,
        target_acceptance: float = 0.8,
    ):
        super().__init__(step_size, adaptation_steps, target_acceptance)
        self.max_tree_depth = check_count(max_tree_depth, "max_tree_depth")

    def _transition(self, log_probability: Any, step_size: tf.Tensor) -> Any:
        return mcmc.NoUTurnSampler(log_probability, step_size, self.max_tree_depth)
