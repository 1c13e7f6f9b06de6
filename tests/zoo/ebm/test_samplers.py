"""Samplers against what is known of their targets; errors are scaled by the effective sample size."""

import math
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.ebm import samplers
from zoo.ebm.chains import run_chains
from zoo.ebm.diagnostics import diagnose_chains, plot_chains, split_r_hat
from zoo.ebm.samplers.schedules import Geometric


def quadratic(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.square(x), axis=-1) / 2


def starts(chains: int, size: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return (scale * np.random.default_rng(seed).standard_normal((chains, size))).astype(np.float32)


def errors_of_mean(chains, values: np.ndarray, expected: float) -> float:
    """By how many standard errors the mean of a function of the draws, [draws, chains], is off."""
    found = diagnose_chains(chains._replace(positions=values[..., None]))
    assert found.split_r_hat[0] < 1.05
    return float((values.mean() - expected) / (values.std() / math.sqrt(found.effective_sample_size[0])))


@pytest.mark.parametrize("step_size", [0.1, 0.5, 1.0])
def test_unadjusted_langevin_has_the_variance_of_its_step_size(step_size):
    sampler = samplers.UnadjustedLangevin(step_size)
    chains = run_chains(quadratic, sampler, starts(2000, 1), draws=50, burn_in=200, thin=20)
    assert not chains.calibrated and chains.acceptance is None
    squares = np.square(chains.positions[..., 0])
    assert abs(errors_of_mean(chains, squares, 2 / (2 - step_size))) < 4
    assert abs(errors_of_mean(chains, squares, 1.0)) > 4


def test_temperature_scales_the_variance_and_zero_descends():
    sampler = samplers.UnadjustedLangevin(0.1, temperature=3.0)
    chains = run_chains(quadratic, sampler, starts(2000, 1), draws=20, burn_in=200, thin=40)
    assert abs(errors_of_mean(chains, np.square(chains.positions[..., 0]), 3 * 2 / 1.9)) < 4
    cold = samplers.UnadjustedLangevin(0.1, temperature=0.0), samplers.GradientDescent(0.1)
    first, second = (run_chains(quadratic, each, starts(3, 2), draws=5).positions for each in cold)
    np.testing.assert_allclose(first, second, rtol=1e-6)
    np.testing.assert_allclose(first[-1], 0.9**5 * starts(3, 2), rtol=1e-5)


def test_schedules_run_with_the_index_of_the_step():
    schedule = Geometric(1.0, 0.01, 3)
    np.testing.assert_allclose([float(schedule(index)) for index in range(4)], [1.0, 0.1, 0.01, 0.01], rtol=1e-5)
    sampler = samplers.GradientDescent(Geometric(0.5, 0.05, 2))
    path = run_chains(quadratic, sampler, np.ones((1, 1), np.float32), draws=3).positions
    np.testing.assert_allclose(path[:, 0, 0], [0.5, 0.475, 0.45125], rtol=1e-5)
    thinned = run_chains(quadratic, sampler, np.ones((1, 1), np.float32), draws=1, burn_in=1, thin=2).positions
    np.testing.assert_allclose(thinned[0], path[-1], rtol=1e-6)


def test_nesterov_is_faster_than_descent_where_curvatures_differ():
    def valley(x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.constant([1.0, 100.0]) * tf.square(x), axis=-1) / 2

    plain, ahead = (
        run_chains(valley, each, np.ones((1, 2), np.float32), draws=1, burn_in=99).energies[-1, 0]
        for each in (samplers.GradientDescent(0.01), samplers.Nesterov(0.01, 0.8))
    )
    assert ahead < 1e-3 * plain


@pytest.mark.parametrize(
    "sampler",
    [
        samplers.UnadjustedLangevin(lambda index: 0.1 / (1 + tf.cast(index, tf.float32)), bounds=(-1, 1)),
        samplers.GradientDescent(0.1),
        samplers.Nesterov(0.1, 0.5),
    ],
)
def test_moves_are_steps_that_keep_positions_and_memory_alone(sampler):
    start = tf.constant(starts(4, 3), tf.float32)
    state, position, memory = sampler.init(start, quadratic), start, sampler.memory_at(start)
    for index in range(3):
        state = sampler.step(state, index, quadratic, index)
        position, memory = sampler.move(position, memory, index, quadratic, index)
    np.testing.assert_array_equal(position, state.position)


def test_clips_and_bounds():
    sampler = samplers.UnadjustedLangevin(1.0, temperature=0.0, gradient_clip=0.1)
    path = run_chains(quadratic, sampler, np.ones((1, 1), np.float32), draws=2).positions
    np.testing.assert_allclose(path[:, 0, 0], [0.9, 0.8], rtol=1e-6)
    sampler = samplers.UnadjustedLangevin(0.5, bounds=(0.0, 1.0))
    positions = run_chains(quadratic, sampler, np.full((50, 1), 0.5, np.float32), draws=20).positions
    assert positions.min() == 0 and positions.max() == 1


TARGETS = {
    # Energy, size, and functions of a draw with their means.
    "correlated": (
        lambda x: (tf.square(x[:, 0]) - 1.6 * x[:, 0] * x[:, 1] + tf.square(x[:, 1])) / (2 * 0.36),
        2,
        {
            "x": (lambda x: x[..., 0], 0.0),
            "xx": (lambda x: x[..., 0] ** 2, 1.0),
            "xy": (lambda x: x[..., 0] * x[..., 1], 0.8),
        },
    ),
    "banana": (
        lambda x: tf.square(x[:, 0]) / 2 + tf.square(x[:, 1] - 0.5 * (tf.square(x[:, 0]) - 1)) / 2,
        2,
        {"xx": (lambda x: x[..., 0] ** 2, 1.0), "y": (lambda x: x[..., 1], 0.0), "yy": (lambda x: x[..., 1] ** 2, 1.5)},
    ),
    "funnel": (
        lambda x: tf.square(x[:, 0]) / 2 + x[:, 0] / 2 + tf.square(x[:, 1]) * tf.exp(-x[:, 0]) / 2,
        2,
        {
            "v": (lambda x: x[..., 0], 0.0),
            "vv": (lambda x: x[..., 0] ** 2, 1.0),
            "yy": (lambda x: x[..., 1] ** 2, math.exp(0.5)),
        },
    ),
}
_ANGLES = 2 * math.pi * np.arange(8) / 8
_CENTRES = 1.6 * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1).astype(np.float32)


def eight(x: tf.Tensor) -> tf.Tensor:
    return -tf.reduce_logsumexp(-tf.reduce_sum(tf.square(x[:, None] - _CENTRES), axis=-1) / (2 * 0.25), axis=1)


TARGETS["mixture"] = (
    eight,
    2,
    {
        "x": (lambda x: x[..., 0], 0.0),
        "xx": (lambda x: x[..., 0] ** 2, 1.28 + 0.25),
        "right": (lambda x: x[..., 0] > 0, 0.5),
    },
)
CALIBRATED = {
    "mala": lambda: samplers.MetropolisAdjustedLangevin(0.2, adaptation_steps=300),
    "hmc": lambda: samplers.HamiltonianMonteCarlo(0.2, 8, adaptation_steps=300),
    "nuts": lambda: samplers.NoUTurn(0.3, 5, adaptation_steps=100),
}


@pytest.mark.parametrize("name", CALIBRATED)
@pytest.mark.parametrize("target", TARGETS)
def test_calibrated_samplers_recover_moments(name, target):
    energy, size, moments = TARGETS[target]
    draws, burn_in = (200, 150) if name == "nuts" else (1500, 500)
    chains = run_chains(energy, CALIBRATED[name](), starts(64, size), draws, burn_in, seed=1, jit_compile=False)
    assert chains.calibrated
    assert 0.4 < chains.acceptance.mean() < 0.98
    for function, expected in moments.values():
        assert abs(errors_of_mean(chains, np.asarray(function(chains.positions), np.float64), expected)) < 4


def test_hamiltonian_monte_carlo_conserves_energy_at_the_square_of_its_step():
    """The error of a trajectory of fixed length, of which acceptance is what is left, falls with h squared."""
    errors = []
    for step_size, steps in ((0.2, 10), (0.1, 20), (0.05, 40)):
        sampler = samplers.HamiltonianMonteCarlo(step_size, steps)
        chains = run_chains(quadratic, sampler, starts(4000, 3), draws=1, seed=2, jit_compile=False)
        # With exact draws of p at the start, E|dH| of the refused part: 1 - acceptance = E max(0, 1 - exp(-dH)).
        errors.append(1 - chains.acceptance.mean())
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    np.testing.assert_allclose(ratios, 4.0, rtol=0.15)


def test_runs_repeat_with_their_seed_and_do_not_depend_on_how_they_are_compiled():
    sampler = samplers.UnadjustedLangevin(0.1)
    first = run_chains(quadratic, sampler, starts(4, 2), draws=5, seed=7)
    np.testing.assert_array_equal(
        first.positions, run_chains(quadratic, sampler, starts(4, 2), draws=5, seed=7).positions
    )
    plain = run_chains(quadratic, sampler, starts(4, 2), draws=5, seed=7, jit_compile=False)
    np.testing.assert_allclose(first.positions, plain.positions, atol=1e-5)
    assert not np.allclose(first.positions, run_chains(quadratic, sampler, starts(4, 2), draws=5, seed=8).positions)


def test_double_precision_stays():
    chains = run_chains(quadratic, samplers.UnadjustedLangevin(0.1), starts(4, 2).astype(np.float64), draws=2)
    assert chains.positions.dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"energy": lambda x: x}, r"has shape \[4, 2\], expected \[4\]"),
        ({"energy": 3}, "expected a function"),
        ({"energy": lambda x: tf.reduce_sum(x, axis=1) / 0}, "not finite"),
        ({"energy": lambda x: tf.stop_gradient(quadratic(x))}, "gradient is None"),
        ({"positions": np.zeros((4, 2), np.int64)}, "expected floats"),
        ({"positions": np.full((4, 2), np.nan, np.float32)}, "not finite"),
        ({"positions": np.full((4, 2), 2, np.float32)}, "outside of the domain"),
        ({"draws": 0}, "draws is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"sampler": samplers.UnadjustedLangevin(3.0), "positions": starts(4, 2), "draws": 2000}, "diverged within"),
    ],
)
def test_what_cannot_run_is_refused(arguments, message):
    given = {
        "energy": quadratic,
        "sampler": samplers.UnadjustedLangevin(0.1, bounds=(0.0, 1.0)),
        "positions": np.full((4, 2), 0.5, np.float32),
        "draws": 2,
        "jit_compile": False,
    }
    with pytest.raises(zoo.ZooError, match=message):
        run_chains(**{**given, **arguments})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: samplers.UnadjustedLangevin(0.0), "step_size is 0.0"),
        (lambda: samplers.UnadjustedLangevin(lambda _: -1.0), "step_size at step 0 is -1.0"),
        (lambda: samplers.UnadjustedLangevin(temperature=-1.0), "temperature is -1.0"),
        (lambda: samplers.UnadjustedLangevin(bounds=(1.0, 0.0)), "bounds are"),
        (lambda: samplers.Nesterov(momentum=1.0), "momentum is 1.0"),
        (lambda: samplers.HamiltonianMonteCarlo(leapfrog_steps=0), "leapfrog_steps is 0"),
        (lambda: samplers.NoUTurn(target_acceptance=1.0), "target_acceptance is 1.0"),
    ],
)
def test_arguments_out_of_their_range_are_refused(make, message):
    with pytest.raises(zoo.ZooError, match=message):
        make()


def test_chains_are_drawn(tmp_path, monkeypatch):
    chains = run_chains(quadratic, samplers.UnadjustedLangevin(0.1), starts(4, 2), draws=50, jit_compile=False)
    plot_chains(chains, tmp_path / "chains.png")
    assert (tmp_path / "chains.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(zoo.ZooError, match=r"genzoo\[plots\]"):
        plot_chains(chains, tmp_path / "more.png")
    assert not (tmp_path / "more.png").exists()


def test_split_r_hat_is_one_where_chains_agree_and_large_where_not():
    draws = np.random.default_rng(0).normal(size=(1000, 8))
    assert split_r_hat(draws) < 1.01
    assert split_r_hat(draws + np.arange(8)) > 2
    drifting = draws + np.linspace(0, 3, 1000)[:, None]
    assert split_r_hat(drifting) > 1.2  # which whole chains would not show
    with pytest.raises(zoo.ZooError, match="expected at least two of eight"):
        diagnose_chains(run_chains(quadratic, samplers.GradientDescent(0.1), starts(1, 2), draws=9, jit_compile=False))


def test_annealing_ends_at_the_spread_of_the_last_level():
    """Data with a spread of 0.1, under noise of each level."""

    def energy(x: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.square(x), axis=-1) / (2 * (0.01 + tf.square(level)))

    sampler = samplers.AnnealedLangevin([2.0, 0.7, 0.2, 0.05], steps_per_level=60, step_size=1e-3)
    draws = {"draws": 1, "burn_in": sampler.total_steps - 1, "jit_compile": False}
    ends = run_chains(energy, sampler, starts(20_000, 1, 10.0), **draws).positions
    spread = 0.01 + 0.05**2
    expected = spread * 2 / (2 - 1e-3 / spread)
    assert ends.var() == pytest.approx(expected, rel=0.05)
    first = run_chains(energy, sampler, starts(20_000, 1, 10.0), draws=1, burn_in=59, jit_compile=False).positions
    assert first.var() == pytest.approx(4.01 * 2 / (2 - 1.6 / 4.01), rel=0.1)
    with pytest.raises(zoo.ZooError, match="expected falling numbers"):
        samplers.AnnealedLangevin([0.1, 1.0])


def test_draws_while_the_step_size_adapts_are_refused():
    sampler = samplers.HamiltonianMonteCarlo(0.1, adaptation_steps=50)
    start = np.zeros((2, 3), np.float32)
    with pytest.raises(zoo.ZooError, match="Give burn_in=50 or more"):
        run_chains(lambda x: tf.reduce_sum(x**2, axis=-1), sampler, start, draws=5, burn_in=20)


def test_chains_are_looked_at_every_so_many_steps(monkeypatch):
    seen = []
    monkeypatch.setattr("zoo.ebm.chains._check", lambda *given: seen.append(given[-1]))
    start = np.zeros((2, 3), np.float32)
    sampler = samplers.UnadjustedLangevin(0.01)
    kept = run_chains(lambda x: tf.reduce_sum(x**2, axis=-1), sampler, start, draws=25, thin=100)
    assert seen == [1000, 2000, 2500]
    assert kept.positions.shape == (25, 2, 3)


def test_networks_of_several_outputs_and_float64_positions():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    with pytest.raises(zoo.ZooError, match=r"has shape \[4, 3\], expected \[4\]: one number a chain"):
        run_chains(network, samplers.UnadjustedLangevin(0.01), np.zeros((4, 2), np.float32), draws=2)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
    sampler = samplers.HamiltonianMonteCarlo(0.1)
    assert run_chains(network, sampler, np.zeros((4, 2)), draws=2).positions.dtype == np.float64
