"""The RBM against what can be enumerated."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.ebm.partition import GeometricPath, annealed_importance_sampling
from zoo.ebm.rbm import RBM
from zoo.ebm.rbm_path import RBMPath

SHAPE = (3, 2, 1)


def made(scale: float = 1.0, hidden_units: int = 4, **options) -> RBM:
    model = RBM(SHAPE, hidden_units, seed=0, **options)
    generator = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(scale * generator.normal(size=weight.shape))
    return model


def all_pixels() -> np.ndarray:
    return np.array(list(itertools.product([0, 1], repeat=6)), np.float32)


def enumerated(model: RBM) -> tuple[float, np.ndarray]:
    """log Z, and the probabilities of all images."""
    logs = -model.free_energy(tf.constant(all_pixels())).numpy().astype(np.float64)
    log_z = np.logaddexp.reduce(logs)
    return log_z, np.exp(logs - log_z)


def test_the_free_energy_sums_hidden_units_out():
    model = made()
    weights, visible_bias, hidden_bias = (np.asarray(weight) for weight in model.trainable_variables)
    hidden = np.array(list(itertools.product([0, 1], repeat=4)))
    for pixels in all_pixels()[::7]:
        energies = -(pixels @ visible_bias) - hidden @ hidden_bias - hidden @ (pixels @ weights)
        expected = -np.logaddexp.reduce(-energies)
        np.testing.assert_allclose(model.free_energy(tf.constant(pixels[None]))[0], expected, rtol=1e-5)


def test_annealed_importance_sampling_finds_the_enumerated_partition_function():
    model = made(1.5)
    log_z, _ = enumerated(model)
    found = model.log_partition(temperatures=300, chains=400)
    assert abs(found.value - log_z) < 4 * found.standard_error
    assert found.standard_error < 0.05
    assert found.lower_bound - 4 * found.lower_bound_error < log_z < found.upper_bound + 4 * found.upper_bound_error
    few = annealed_importance_sampling(RBMPath(model), 2, 400)
    assert few.lower_bound < log_z - 4 * few.lower_bound_error  # few temperatures are a loose bound
    assert few.effective_chains < found.effective_chains


def test_runs_that_do_not_meet_are_warned_of():
    model = made(4.0)
    wrong = tf.zeros([50, 6])  # no draws of the model
    with pytest.warns(UserWarning, match="they do not meet"):
        annealed_importance_sampling(RBMPath(model), 50, 50, backward_from=wrong)


def test_chains_draw_from_the_model():
    model = made(0.8)
    _, probabilities = enumerated(model)
    visible = tf.zeros([20_000, 6])
    drawn, means = model._moved(visible, 30, 5)
    places = (drawn.numpy() @ (2 ** np.arange(5, -1, -1))).astype(int)
    shares = np.bincount(places, minlength=64) / 20_000
    errors = np.sqrt(probabilities * (1 - probabilities) / 20_000)
    assert (np.abs(shares - probabilities) < 4.5 * errors).all()
    np.testing.assert_allclose(means.numpy().mean(axis=0), drawn.numpy().mean(axis=0), atol=0.02)


@pytest.mark.parametrize("persistent_chains", [0, 500])
def test_it_learns_a_distribution(persistent_chains):
    """Images of another RBM, whose probabilities are known; a model without weights stays far from them."""
    teacher = made(2.5)
    weights = np.asarray(teacher.weights_matrix)
    # Biases that hold against the weights, so that pixels depend on one another.
    teacher.visible_bias.assign(-weights.sum(axis=1) / 2)
    teacher.hidden_bias.assign(-weights.sum(axis=0) / 2)
    _, probabilities = enumerated(teacher)
    keras.utils.set_random_seed(0)
    images = all_pixels()[np.random.default_rng(0).choice(64, 10_000, p=probabilities)].reshape(-1, *SHAPE)
    model = RBM(SHAPE, 8, gibbs_steps=5, persistent_chains=persistent_chains, seed=0)
    model.adapt(images)
    before = divergence(probabilities, model)
    decay = keras.optimizers.schedules.CosineDecay(0.05, 40 * 20)
    model.compile(keras.optimizers.Adam(decay))  # pyright: ignore[reportArgumentType]
    model.fit(images, batch_size=500, epochs=40, verbose=0)
    assert before > 0.15
    assert divergence(probabilities, model) < 0.02


def divergence(probabilities: np.ndarray, model: RBM) -> float:
    """KL(data || model) in nats."""
    return float((probabilities * np.log(probabilities / enumerated(model)[1])).sum())


def test_the_likelihood_is_that_of_the_enumerated_model():
    model = made(0.8)
    log_z, _ = enumerated(model)
    images = all_pixels()[[3, 17, 40]].reshape(-1, *SHAPE)
    found = model.log_likelihood(images, 300, chains=300)
    assert abs(found.mean + float(np.mean(model.energy(images))) + log_z) < 0.05
    with pytest.raises(zoo.ZooError, match="at least 2 images"):
        model.log_likelihood(images[:1], 10)


def test_persistent_chains_are_kept_in_files(tmp_path):
    model = RBM(SHAPE, 4, persistent_chains=7, seed=0)
    model.compile("adam")
    model.fit(np.ones((20, *SHAPE), np.float32), batch_size=10, verbose=0)
    model.save(tmp_path / "model.keras")
    again = zoo.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.chains, model.chains)
    assert set(np.unique(model.chains)) <= {0.0, 1.0}


def test_chains_that_start_at_weighted_images_are_refused():
    model = RBM((2, 2, 1), 3, persistent_chains=0)
    model.compile("sgd")
    with pytest.raises(zoo.ZooError, match="the chains, which start at them"):
        model.fit(np.zeros((4, 2, 2, 1), np.float32), sample_weight=np.ones(4), verbose=0)


@pytest.mark.parametrize(
    "make", [lambda: RBM((8, 8, 1), 3), lambda: zoo.ScoreModel(zoo.networks.unet((8, 8, 1), (4,)))]
)
def test_models_are_called_under_mixed_precision(make):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        assert make()(np.zeros((2, 8, 8, 1), np.float32)).dtype == tf.float32
    finally:
        keras.config.set_dtype_policy(before)


def test_visible_biases_begin_at_the_log_odds_of_the_data():
    model = RBM(SHAPE, 4)
    images = np.random.default_rng(0).random((500, *SHAPE), np.float32)
    model.adapt(images)
    np.testing.assert_allclose(tf.sigmoid(model.visible_bias), images.mean(axis=0).reshape(-1), rtol=1e-5)


def test_a_continuous_partition_function_by_annealing():
    """Of a Normal distribution, log Z is known: log sqrt(2 pi) s, for each dimension."""
    from tensorflow_probability import distributions as tfd

    from zoo.ebm import samplers

    start = tfd.MultivariateNormalDiag(tf.zeros(3), 2 * tf.ones(3))

    def energy(position: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.square(position - 0.5), axis=1) / (2 * 0.5**2)

    path = GeometricPath(energy, start, samplers.HamiltonianMonteCarlo(0.3, 3))
    ends = (0.5 + 0.5 * np.random.default_rng(0).normal(size=(300, 3))).astype(np.float32)
    found = annealed_importance_sampling(path, 150, 300, backward_from=ends)
    expected = 3 * np.log(np.sqrt(2 * np.pi) * 0.5)
    assert abs(found.value - expected) < 4 * found.standard_error
    assert found.lower_bound - 4 * found.lower_bound_error < expected < found.upper_bound + 4 * found.upper_bound_error
    with pytest.raises(zoo.ZooError, match="not calibrated"):
        GeometricPath(energy, start, samplers.UnadjustedLangevin(0.1))
    with (
        pytest.warns(UserWarning, match=r"\d of 10 runs carry log Z, so that it is too small more often"),
        pytest.raises(zoo.ZooError, match=r"expected .*None, 3"),
    ):
        annealed_importance_sampling(path, 10, 10, backward_from=np.zeros((4, 2), np.float32))


def test_paths_that_change_what_they_lead_through_are_refused():
    import tensorflow_probability as tfp

    energy = lambda x: tf.reduce_sum(x**2, axis=-1)  # noqa: E731
    sampler = zoo.ebm.samplers.HamiltonianMonteCarlo(0.1, adaptation_steps=5)
    with pytest.raises(zoo.ZooError, match="give the sampler adaptation_steps=0"):
        GeometricPath(energy, tfp.distributions.MultivariateNormalDiag(tf.zeros(3)), sampler)
    with pytest.raises(
        zoo.ZooError, match=r"Normal with batches of \[3\], expected one whose event is a whole position"
    ):
        sampler = zoo.ebm.samplers.HamiltonianMonteCarlo(0.1)
        GeometricPath(energy, tfp.distributions.Normal(tf.zeros(3), 1.0), sampler)


def test_restored_pixels_are_those_of_the_enumerated_conditional():
    model, count = made(0.8), 4000
    seen, known = np.array([1, 0, 1, 0, 0, 0], np.float32), np.array([1, 1, 1, 0, 0, 0], np.float32)
    fits = (all_pixels()[:, :3] == seen[:3]).all(axis=1)
    probabilities = enumerated(model)[1] * fits
    expected = probabilities @ all_pixels() / probabilities.sum()
    images, mask = (
        np.tile(seen.reshape(1, *SHAPE), (count, 1, 1, 1)),
        np.tile(known.reshape(1, *SHAPE), (count, 1, 1, 1)),
    )
    restored = model.restore(images, mask, steps=40)
    flat = restored.reshape(count, -1)
    np.testing.assert_array_equal(flat[:, :3], images.reshape(count, -1)[:, :3])
    errors = flat[:, 3:].std(axis=0) / np.sqrt(count)
    assert (np.abs(flat.mean(axis=0) - expected)[3:] < 4.5 * errors).all()
    assert np.abs(flat.mean(axis=0) - enumerated(model)[1] @ all_pixels())[3:].max() > 0.03  # not of the marginal
    again = model.run("restore", image=images[:5], mask=mask[:5], seed=0, steps=40)["restored"]
    np.testing.assert_allclose(again, restored[:5], atol=1e-6)
    np.testing.assert_array_equal(model.anomaly_score(images[:3]), model.energy(images[:3]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": np.ones((2, 3, 2))}, r"mask has shape \[2, 3, 2\], expected \[2, 3, 2, 1\]"),
        ({"temperature": 0.0}, "'temperature' of 'restore' is 0"),
        ({"steps": 0}, "'steps' of 'restore' is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_cannot_be_restored(options, message):
    with pytest.raises(zoo.ZooError, match=message):
        made().restore(np.zeros((2, *SHAPE)), **{"mask": np.ones((2, 3, 2, 1)), **options})
