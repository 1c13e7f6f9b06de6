"""Priors over grids of codes, by enumeration of all grids."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo import random
from zoo.networks import pixelcnn
from zoo.vae import code_prior

CODES, SHAPE = 3, (2, 2)
GRIDS = np.array(list(itertools.product(range(CODES), repeat=4)), np.int32).reshape(-1, *SHAPE)


def tiny(scale: float = 1.0) -> keras.Model:
    keras.utils.set_random_seed(0)
    network = pixelcnn(SHAPE, CODES, filters=8, blocks=1, kernel=3)
    network.set_weights([scale * weight for weight in network.get_weights()])
    network.trainable = False
    return network


def data(count: int = 600) -> np.ndarray:
    """Grids whose second code is the first one and whose last is the sum of those to its left and above."""
    generator = np.random.default_rng(0)
    first, third = generator.choice(CODES, count, p=[0.6, 0.3, 0.1]), generator.integers(0, CODES, count)
    grids = np.stack([first, first, third, (first + third) % CODES], axis=1)
    return grids.reshape(-1, *SHAPE).astype(np.int32)


@pytest.fixture(scope="module")
def fitted() -> keras.Model:
    network = tiny()
    code_prior.fit(network, lambda _: data(), 30, 50, 0.02, seed=0, verbose=0)
    return network


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_probabilities_of_all_grids_sum_to_one(scale):
    probabilities = np.exp(code_prior.log_prob(tiny(scale), GRIDS))
    assert probabilities.max() > 1.2 / len(GRIDS)
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_fitting_learns_the_distribution_and_nothing_is_trainable_after_it(fitted):
    counts = np.zeros([CODES] * 4)
    np.add.at(counts, tuple(data().reshape(-1, 4).T), 1)
    shares = counts.ravel() / counts.sum()
    probabilities = np.exp(code_prior.log_prob(fitted, GRIDS))
    np.testing.assert_allclose(probabilities, shares, atol=0.05)
    assert probabilities[shares == 0].sum() < 0.03
    assert not fitted.trainable_variables
    assert not fitted.compiled


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_draws_have_the_probabilities_of_the_network(fitted, temperature):
    n = 20_000
    noise = random.uniform([n, 4], seed=5)
    draws = code_prior.draw_codes(fitted, noise, temperature)
    logits = tf.nn.log_softmax(fitted(GRIDS) / temperature)
    probabilities = np.exp(tf.reduce_sum(tf.gather(logits, GRIDS, batch_dims=3), axis=[1, 2]))
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    numbers = np.reshape(draws, (n, 4)) @ CODES ** np.arange(3, -1, -1)
    shares = np.bincount(numbers, minlength=len(GRIDS)) / n
    rare = n * probabilities < 20  # too few for a Normal error each: taken together
    probabilities, shares = (np.append(values[~rare], values[rare].sum()) for values in (probabilities, shares))
    error = np.sqrt(probabilities * (1 - probabilities) / n)
    assert len(error) > 9
    assert (np.abs(shares - probabilities) < 4.5 * error + 1e-6).all()


def test_at_temperature_zero_each_place_takes_its_most_probable_code(fitted):
    grid = np.zeros((1, *SHAPE), np.int32)
    for row, column in np.ndindex(*SHAPE):
        grid[0, row, column] = np.argmax(fitted(grid)[0, row, column])
    draws = code_prior.draw_codes(fitted, random.uniform([50, 4], seed=1), 0.0)
    np.testing.assert_array_equal(draws, np.repeat(grid, 50, axis=0))


def test_the_loss_is_in_nats_a_grid():
    network, grids = tiny(), data(60)
    expected = -float(tf.reduce_mean(code_prior.log_prob(network, grids)))
    history = code_prior.fit(network, lambda _: grids, 1, 7, 1e-12, 0, grids, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(expected, rel=1e-4)
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_fitting_repeats_itself_for_a_seed_whatever_the_global_one():
    found = []
    for seed, global_seed in ((3, 1), (3, 2), (4, 1)):
        network = tiny()
        keras.utils.set_random_seed(global_seed)
        code_prior.fit(network, lambda _: data(50), 2, 16, 0.01, seed, verbose=0)
        found.append(np.concatenate([weight.ravel() for weight in network.get_weights()]))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2], atol=1e-5)


def test_every_epoch_has_grids_of_its_own():
    network, grids = tiny(), [data(60)[20 * epoch :][:20] for epoch in range(3)]
    expected = [-float(tf.reduce_mean(code_prior.log_prob(network, each))) for each in grids]
    history = code_prior.fit(network, grids.__getitem__, 3, 10, 1e-12, 0, verbose=0).history
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)
    assert len(set(expected)) == 3


def test_every_epoch_has_all_grids_in_its_own_order():
    grids = np.arange(50).reshape(-1, 1, 1)
    batches, orders = code_prior._ShuffledGrids(lambda _: grids, 8, seed=0), []
    for epoch in range(2):
        batches.begin(epoch)
        orders.append(np.concatenate([batches[index][0] for index in range(len(batches))]).ravel())
    assert [len(batches[index][0]) for index in range(len(batches))] == [8] * 6 + [2]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(50))
    assert not np.array_equal(*orders)


@pytest.mark.parametrize("kernel, padding", [(1, "same"), (3, "same")])
def test_a_network_that_sees_what_it_predicts_is_refused(kernel, padding):
    grid = keras.Input(SHAPE, dtype="int32")
    embedded = keras.layers.Embedding(CODES, 4, embeddings_initializer="random_normal")(grid)
    network = keras.Model(grid, keras.layers.Conv2D(CODES, kernel, padding=padding)(embedded))
    with pytest.raises(zoo.ZooError, match=r"place \d of the grid.*like networks\.pixelcnn"):
        code_prior.fit(network, lambda _: data(20), 1, 10, 1e-3, 0, verbose=0)
