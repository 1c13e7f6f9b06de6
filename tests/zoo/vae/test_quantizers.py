"""The quantizers against NumPy, and what their gradients are."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.vae.quantizers import FiniteScalarQuantizer, VectorQuantizer, perplexity

SHAPE = (5, 3, 2, 4)  # images, rows, columns, channels


def features(seed: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, SHAPE).astype(np.float32)


def built(**arguments) -> VectorQuantizer:
    """A quantizer with a codebook that is not its own."""
    quantizer = VectorQuantizer(codes=6, **arguments)
    quantizer.build(SHAPE)
    quantizer.built = True
    codebook = np.random.default_rng(9).normal(size=(6, 4)).astype(np.float32)
    quantizer.codebook.assign(codebook)
    quantizer.sums.assign(codebook)
    return quantizer


def state(quantizer: VectorQuantizer) -> list[np.ndarray]:
    return [np.array(value) for value in (quantizer.codebook, quantizer.counts, quantizer.sums, quantizer.idle)]


def nearest(flat: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    return ((flat[:, None] - codebook[None]) ** 2).sum(axis=-1).argmin(axis=-1)


def test_vectors_are_the_nearest_of_the_codebook():
    quantizer, given = built(), features(0)
    found = quantizer(given)
    codebook = state(quantizer)[0]
    expected = nearest(given.reshape(-1, 4), codebook)
    np.testing.assert_array_equal(found.codes, expected.reshape(SHAPE[:3]))
    assert len(set(expected)) > 3
    np.testing.assert_allclose(found.vectors, codebook[expected].reshape(SHAPE), atol=1e-6)
    np.testing.assert_array_equal(quantizer.look_up(found.codes), codebook[expected].reshape(SHAPE))
    distance = ((given - codebook[expected].reshape(SHAPE)) ** 2).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found.commitment, distance, rtol=1e-5)


def test_an_offset_that_all_share_changes_no_code():
    """Products of large numbers, from which distances are worked out, would lose them to rounding."""
    quantizer, given = built(), features(0)
    codes = np.array(quantizer(given).codes)
    quantizer.codebook.assign(state(quantizer)[0] + 4096.0)
    np.testing.assert_array_equal(quantizer(given + np.float32(4096)).codes, codes)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_averages_are_those_of_the_paper(jit_compile):
    """Appendix A.1, with Laplace smoothing, by hand over three batches."""
    decay, smoothing = 0.7, 0.05
    quantizer = built(decay=decay, smoothing=smoothing, revive_after=None)
    step = tf.function(lambda batch: quantizer(batch, training=True).codes, jit_compile=jit_compile, autograph=False)
    codebook, counts, sums, _ = state(quantizer)
    for seed in range(3):
        batch = features(seed, 0.4)
        codes = np.array(step(tf.constant(batch))).ravel()
        flat = batch.reshape(-1, 4)
        np.testing.assert_array_equal(codes, nearest(flat, codebook))
        members = np.eye(6)[codes]
        counts = decay * counts + (1 - decay) * members.sum(axis=0)
        sums = decay * sums + (1 - decay) * members.T @ flat
        smoothed = (counts + smoothing) / (counts.sum() + 6 * smoothing) * counts.sum()
        codebook = sums / smoothed[:, None]
        for got, expected in zip(state(quantizer), (codebook, counts, sums), strict=False):
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_nothing_is_learned_outside_of_training():
    quantizer = built()
    before = state(quantizer)
    quantizer(features(0))
    for one, other in zip(state(quantizer), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_codes_start_at_features_of_the_first_batch():
    quantizer = VectorQuantizer(codes=40)
    given = features(0)
    codes = quantizer(given, training=True, seed=3).codes
    used = np.unique(codes)
    others = np.setdiff1d(np.arange(40), used)
    distances = ((state(quantizer)[0][others, None] - given.reshape(1, -1, 4)) ** 2).sum(axis=-1)
    assert len(others) > 10
    assert distances.min(axis=1).max() == 0
    assert len(np.unique(distances.argmin(axis=1))) > 5


def test_dead_codes_start_anew_at_features_when_unused_for_long():
    quantizer = built(revive_after=3)
    quantizer.idle.assign(np.zeros(6))
    far = state(quantizer)[0]
    far[2] = 1e3  # never the nearest
    quantizer.codebook.assign(far)
    quantizer.sums.assign(far)
    given = features(0, 3.0)
    assert set(nearest(given.reshape(-1, 4), far)) == {0, 1, 3, 4, 5}
    for step in range(2):
        quantizer(given, training=True, seed=step)
        assert state(quantizer)[3][2] == step + 1
        assert state(quantizer)[0][2].min() > 500
    quantizer(given, training=True, seed=7)
    codebook, counts, sums, idle = state(quantizer)
    assert (given.reshape(-1, 4) == codebook[2]).all(axis=1).any()
    np.testing.assert_array_equal(sums[2], codebook[2])
    assert (counts[2], idle[2]) == (1, 0)
    assert (idle[[0, 1, 3, 4, 5]] == 0).all()


def test_the_feature_that_revives_depends_on_the_seed():
    books = []
    for seed in (1, 1, 2):
        quantizer = built(revive_after=1)
        quantizer.codebook.assign(np.full((6, 4), 1e3))  # one is the nearest to all, the others die
        quantizer.sums.assign(quantizer.codebook)
        quantizer(features(0), training=True, seed=seed)
        books.append(state(quantizer)[0])
    np.testing.assert_array_equal(books[0], books[1])
    assert not np.array_equal(books[0], books[2])


@pytest.mark.parametrize("training", [False, True])
def test_the_gradient_passes_the_codebook_unchanged(training):
    quantizer, given = built(), tf.constant(features(0))
    weights = tf.constant(features(1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(given)
        found = quantizer(given, training=training)
        total, commitment = tf.reduce_sum(weights * found.vectors), tf.reduce_sum(found.commitment)
    np.testing.assert_array_equal(tape.gradient(total, given), weights)
    expected = 2 * (given - built().look_up(found.codes))
    np.testing.assert_allclose(tape.gradient(commitment, given), expected, rtol=1e-5)
    assert not quantizer.trainable_variables


@pytest.mark.parametrize("levels, count", [((8, 5, 5, 5), 1000), ((2,), 2), ((3, 2, 4), 24)])
def test_scalar_codes_number_every_combination_once(levels, count):
    quantizer = FiniteScalarQuantizer(levels)
    assert quantizer.num_codes == count
    codes = tf.reshape(tf.range(count), [count, 1, 1])
    vectors = quantizer.look_up(codes).numpy()
    assert len(np.unique(vectors.reshape(count, -1), axis=0)) == count
    for channel, level in enumerate(levels):
        np.testing.assert_allclose(np.unique(vectors[..., channel]), np.linspace(-1, 1, level), atol=1e-6)
    found = quantizer(np.arctanh(0.999 * vectors))
    np.testing.assert_array_equal(found.codes, codes)
    np.testing.assert_allclose(found.vectors, vectors, atol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_scalars_go_to_the_nearest_level_with_the_gradient_of_tanh(jit_compile):
    quantizer, given = FiniteScalarQuantizer((4, 5, 2, 3)), tf.constant(features(0))
    with tf.GradientTape() as tape:
        tape.watch(given)
        call = tf.function(lambda values: quantizer(values, training=True), autograph=False, jit_compile=jit_compile)
        found = call(given)
        total = tf.reduce_sum(found.vectors)
    for channel, level in enumerate(quantizer.levels):
        ends = np.linspace(-1, 1, level)
        squashed = np.tanh(given[..., channel])[..., None]
        expected = ends[np.abs(squashed - ends).argmin(axis=-1)]
        np.testing.assert_allclose(found.vectors[..., channel], expected, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(total, given), 1 - np.tanh(given) ** 2, atol=1e-6)
    np.testing.assert_array_equal(found.commitment, np.zeros(SHAPE[0]))
    assert not quantizer.variables


def test_perplexity_is_the_number_of_codes_used_evenly():
    for codes, expected in (
        ([3, 3, 3, 3], 1),
        ([0, 1, 4, 7], 4),
        ([0, 0, 0, 5], np.exp(-0.75 * np.log(0.75) + 0.25 * np.log(4))),
    ):
        assert float(perplexity(tf.constant(codes), 8)) == pytest.approx(expected, rel=1e-6)


def test_a_layer_of_a_mixed_policy_computes_in_float32():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        for quantizer in (built(), FiniteScalarQuantizer((8, 5, 5, 5))):
            assert quantizer(features(0)).vectors.dtype == tf.float32
            assert quantizer.compute_dtype == "float32"
    finally:
        keras.config.set_dtype_policy(before)


def test_arguments_out_of_range_are_refused():
    for arguments in ({"codes": 0}, {"decay": 1.0}, {"smoothing": 0}, {"revive_after": 0}):
        with pytest.raises(zoo.ZooError, match=next(iter(arguments))):
            VectorQuantizer(**arguments)
    for levels, message in (((), "levels is"), ((2.5, 3), "levels is"), ((5, 1), "at least 2")):
        with pytest.raises(zoo.ZooError, match=message):
            FiniteScalarQuantizer(levels)
    with pytest.raises(zoo.ZooError, match=r"4 channels.*needs 3"):
        FiniteScalarQuantizer((5, 5, 5)).build(SHAPE)
