"""The generator: known answers, the statistics of a million draws, and the same numbers compiled."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from zoo import random

MILLION = 1_000_000
SIGMAS = 4.5  # about 1 in 150,000 for each comparison


def test_known_answers_of_philox():
    # Random123's published vector for counter 0 and key 0.
    expected = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    np.testing.assert_array_equal(random.bits([4], 0).numpy(), np.array(expected, np.uint32))


@pytest.mark.parametrize("seed", [0, 7, 2**40 + 5, 2**63 - 1])
@pytest.mark.parametrize("count", [1, 5, 4096])
def test_compiled_bits_are_the_same(seed, count):
    def draw():
        return random.bits([count], seed, 3)

    eager = draw().numpy()
    np.testing.assert_array_equal(eager, tf.function(draw)().numpy())
    np.testing.assert_array_equal(eager, tf.function(draw, jit_compile=True)().numpy())


def test_compiled_floats_are_the_same():
    for generator in (random.uniform, random.normal):

        def draw(generator=generator):
            return generator([1001, 3], 11)

        np.testing.assert_allclose(draw(), tf.function(draw, jit_compile=True)(), rtol=1e-5, atol=1e-6)


def test_rows_in_batches_begin_at_multiples_of_four():
    whole = random.normal([12, 3], 5).numpy()
    np.testing.assert_allclose(random.normal([4, 3], 5, first=8), whole[8:], atol=1e-6)
    for generator in (random.normal, random.uniform):
        with pytest.raises(ValueError, match="first is 6, expected a multiple of 4"):
            generator([4, 3], 5, first=6)


def test_first_draws_do_not_depend_on_the_count():
    np.testing.assert_array_equal(random.normal([101], 5)[:7], random.normal([7], 5))


@pytest.fixture(scope="module")
def normals():
    return random.normal([MILLION], 1).numpy().astype(np.float64)


@pytest.fixture(scope="module")
def uniforms():
    return random.uniform([MILLION], 2).numpy().astype(np.float64)


def test_moments_of_the_normal(normals):
    for power, expected in enumerate((0, 1, 0, 3, 0, 15), start=1):
        values = normals**power
        error = values.std() / np.sqrt(MILLION)
        assert abs(values.mean() - expected) < SIGMAS * error, power


def test_moments_of_the_uniform(uniforms):
    for power in (1, 2, 3):
        values = uniforms**power
        assert abs(values.mean() - 1 / (power + 1)) < SIGMAS * values.std() / np.sqrt(MILLION), power
    assert uniforms.min() > 0
    assert uniforms.max() < 1


def test_kolmogorov_smirnov(normals, uniforms):
    assert scipy.stats.kstest(normals, "norm").pvalue > 1e-4
    assert scipy.stats.kstest(uniforms, "uniform").pvalue > 1e-4


def test_every_bit_is_fair_and_independent_of_its_neighbours():
    words = random.bits([MILLION // 4], 3).numpy()
    ones = np.unpackbits(words.view(np.uint8)).reshape(len(words), 32).astype(np.float64)
    deviations = (ones.mean(axis=0) - 0.5) * 2 * np.sqrt(len(words))
    assert np.abs(deviations).max() < SIGMAS
    correlations = np.corrcoef(ones.T)[np.triu_indices(32, 1)] * np.sqrt(len(words))
    assert np.abs(correlations).max() < SIGMAS + 0.5  # the largest of 496


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 5, 64, 784])
def test_positions_are_independent(normals, lag):
    for values in (normals, normals**2):
        correlation = np.corrcoef(values[:-lag], values[lag:])[0, 1]
        assert abs(correlation) * np.sqrt(MILLION) < SIGMAS


@pytest.mark.parametrize(
    "first, second",
    [
        ((0, 0), (1, 0)),
        ((0, 0), (0, 1)),
        ((1, 0), (0, 1)),
        ((5, 2), (6, 2)),
        ((0, 0), (2**32, 0)),
        ((0, 0), (0, 2**32)),
    ],
)
def test_seeds_and_streams_are_independent(first, second):
    one, two = (random.normal([MILLION], *key).numpy() for key in (first, second))
    assert abs(np.corrcoef(one, two)[0, 1]) * np.sqrt(MILLION) < SIGMAS
    assert abs(np.corrcoef(one**2, two**2)[0, 1]) * np.sqrt(MILLION) < SIGMAS
    assert not np.isin(random.bits([1000], *first), random.bits([1000], *second)).any()


def test_consecutive_seeds_give_independent_first_draws():
    @tf.function(autograph=False)
    def draw(seeds):
        return tf.map_fn(lambda seed: random.uniform([1], seed)[0], seeds, fn_output_signature=tf.float32)

    firsts = draw(tf.range(20_000, dtype=tf.int64)).numpy()
    assert scipy.stats.kstest(firsts, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(firsts[:-1], firsts[1:])[0, 1]) * np.sqrt(len(firsts)) < SIGMAS


def test_folded_seeds_differ_from_each_other_and_from_draws():
    folded = {int(random.fold_in(seed, data)) for seed in range(30) for data in range(30)}
    assert len(folded) == 900
    assert min(folded) >= 0


@pytest.mark.parametrize("seed", [1.5, "1", True, None, tf.constant(1.7)])
def test_a_seed_must_be_an_integer(seed):
    with pytest.raises(TypeError, match="a seed is an integer"):
        random.uniform([1], seed)
