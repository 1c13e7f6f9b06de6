"""Objectives against a Normal distribution, whose energy is known; chains, buffers and what is refused."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

import zoo
from zoo.ebm import objectives, samplers
from zoo.ebm.restoration import Blur
from zoo.networks import conv_energy

MEAN, SPREAD = 0.5, 0.1


class Quadratic(keras.layers.Layer):
    """(x - mean)^2 / (2 spread^2), summed over pixels, from a wrong mean and spread."""

    def build(self, shape):
        self.mean = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.4))
        self.log_spread = self.add_weight(shape=(), initializer=keras.initializers.Constant(np.log(0.2)))

    def call(self, images):
        parts = tf.square(images - self.mean) * tf.exp(-2 * self.log_spread) / 2
        return tf.reduce_sum(parts, axis=[1, 2, 3])[:, None]


def normal_model(**options) -> zoo.EBM:
    """The energy of independent Normal pixels."""
    layer = Quadratic()
    model = zoo.EBM(keras.Sequential([keras.Input((1, 2, 1)), layer]), **options)
    layer.mean.assign(MEAN)
    layer.log_spread.assign(np.log(SPREAD))
    return model


def normal_pixels(count: int = 4000) -> np.ndarray:
    values = np.random.default_rng(0).normal(MEAN, SPREAD, (count, 1, 2, 1))
    return np.clip(values, 0, 1).astype(np.float32)


def fitted(objective: objectives.Objective, epochs: int = 20, **options) -> tuple[float, float]:
    """The mean and the spread that training ends with."""
    layer = Quadratic()
    network = keras.Sequential([keras.Input((1, 2, 1)), layer])
    model = zoo.EBM(network, objective, seed=0, **options)
    steps = 16 * epochs
    decay = keras.optimizers.schedules.CosineDecay(0.03, steps)
    model.compile(keras.optimizers.Adam(decay))  # pyright: ignore[reportArgumentType]
    model.fit(normal_pixels(), batch_size=250, epochs=epochs, verbose=0)
    return float(layer.mean.numpy()), float(np.exp(layer.log_spread))


def test_denoising_learns_the_spread_of_noisy_data():
    mean, spread = fitted(objectives.DenoisingScoreMatching((0.1, 0.1)))
    assert mean == pytest.approx(MEAN, abs=0.01)
    assert spread == pytest.approx(np.hypot(SPREAD, 0.1), rel=0.05)


def test_equilibrium_matching_of_one_image_is_a_parabola():
    """With the slope falling all the way, c(g) = w (1 - g), the gradient is w (y - x): E = w |y - x|^2 / 2."""
    layer = Quadratic()
    objective = objectives.EquilibriumMatching(weight=4.0, decay_from=0.0, deviation=0.3)
    model = zoo.EBM(keras.Sequential([keras.Input((1, 2, 1)), layer]), objective, samplers.GradientDescent(0.1), seed=0)
    decay = keras.optimizers.schedules.CosineDecay(0.03, 320)
    model.compile(keras.optimizers.Adam(decay, beta_2=0.9))  # pyright: ignore[reportArgumentType]
    model.fit(np.full((4000, 1, 2, 1), 0.7, np.float32), batch_size=250, epochs=20, verbose=0)
    assert float(layer.mean.numpy()) == pytest.approx(0.7, abs=1e-3)
    assert float(np.exp(-2 * layer.log_spread)) == pytest.approx(4, rel=1e-3)
    # Descent begins at noise like that of training, and ends at the image.
    np.testing.assert_allclose(model.sample(3, steps=60), 0.7, atol=1e-3)
    assert model.sample(500, steps=1, step_size=1e-9).std() == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("directions", [1, 3])
def test_slices_learn_the_spread_of_data(directions):
    mean, spread = fitted(objectives.SlicedScoreMatching(directions, data_noise=0.0))
    assert mean == pytest.approx(MEAN, abs=0.01)
    assert spread == pytest.approx(SPREAD, rel=0.05)


def test_telling_noise_from_data_learns_the_energy_with_its_constant():
    objective = objectives.NoiseContrastiveEstimation(0.15)
    objective.adapt(normal_pixels())
    layer = Quadratic()
    images = keras.Input((1, 2, 1))
    bias = keras.layers.Dense(1, kernel_initializer="ones")  # energies keep their scale, and get a constant
    model = zoo.EBM(keras.Model(images, bias(layer(images))), objective, seed=0)
    bias.kernel.trainable = False
    decay = keras.optimizers.schedules.CosineDecay(0.05, 16 * 30)
    model.compile(keras.optimizers.Adam(decay))  # pyright: ignore[reportArgumentType]
    model.fit(normal_pixels(), batch_size=250, epochs=30, verbose=0)
    assert float(layer.mean.numpy()) == pytest.approx(MEAN, abs=0.02)
    scale = float(bias.kernel.numpy()[0, 0])
    assert float(np.exp(layer.log_spread)) / np.sqrt(scale) == pytest.approx(SPREAD, rel=0.08)
    exact = np.square(normal_pixels(9) - MEAN).sum(axis=(1, 2, 3)) / (2 * SPREAD**2) + np.log(2 * np.pi * SPREAD**2)
    np.testing.assert_allclose(model.energy(normal_pixels(9)), exact, atol=0.25)


@pytest.mark.parametrize(
    "objective",
    [
        objectives.ContrastiveDivergence(10, regularization=0.0),
        objectives.PersistentContrastiveDivergence(10, 500, reinit_rate=0.0, regularization=0.0),
    ],
    ids=["contrastive", "persistent"],
)
def test_chains_learn_the_spread_of_data(objective):
    sampler = samplers.UnadjustedLangevin(1e-3)
    mean, spread = fitted(objective, 30, sampler=sampler)
    assert mean == pytest.approx(MEAN, abs=0.02)
    # Chains with this step are as wide as data where the energy is that much narrower: s^2 = S^2 (2 - h / s^2) / 2.
    narrower = np.sqrt(SPREAD**2 - 1e-3 / 2)
    assert spread == pytest.approx(narrower, rel=0.06)


def test_samples_have_the_variance_of_the_energy_and_the_step():
    model = normal_model(sampler=samplers.UnadjustedLangevin(2e-3))
    for temperature, step_size in ((1.0, None), (0.25, None), (1.0, 5e-3)):
        images = model.sample(4000, seed=1, steps=200, temperature=temperature, step_size=step_size)
        share = (step_size or 2e-3) / SPREAD**2
        expected = temperature * SPREAD**2 * 2 / (2 - share)
        # The variance of 8,000 Normal numbers has a standard error of 1.6 %.
        assert images.var() == pytest.approx(expected, rel=0.07)
    np.testing.assert_allclose(model.score(images[:5]), (MEAN - images[:5]) / SPREAD**2, rtol=1e-4)
    np.testing.assert_allclose(
        model.energy(images[:5]), np.square(images[:5] - MEAN).sum(axis=(1, 2, 3)) / (2 * SPREAD**2), rtol=1e-4
    )
    np.testing.assert_array_equal(model.anomaly_score(images[:5]), model.energy(images[:5]))


def small(**options) -> zoo.EBM:
    keras.utils.set_random_seed(0)
    return zoo.EBM(conv_energy((8, 8, 1), (4, 8), 8), seed=0, **options)


def persistent(**options) -> zoo.EBM:
    objective = objectives.PersistentContrastiveDivergence(2, buffer_size=2000, reinit_rate=0.1)
    return small(objective=objective, **options)


def test_the_buffer_is_part_of_checkpoints_and_of_nothing_else(digits, tmp_path):
    model = persistent()
    assert len(model.weights) == len(model.network.weights)
    model.compile("adam")
    model.fit(digits[:64], batch_size=16, verbose=0)
    model.save(tmp_path / "model.keras")
    buffer = np.asarray(model.objective_layer.buffer.positions)
    again = zoo.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.objective_layer.buffer.positions, buffer)
    bare = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert len(bare.weights) == len(bare.network.weights)
    np.testing.assert_array_equal(bare.sample(2, steps=3), model.sample(2, steps=3))
    model.save_to_preset(tmp_path / "preset")
    assert (tmp_path / "preset" / "model.weights.h5").stat().st_size < 100_000
    np.testing.assert_array_equal(zoo.EBM.from_preset(tmp_path / "preset").energy(digits[:2]), model.energy(digits[:2]))


def test_a_run_goes_on_from_a_file_as_if_it_had_not_stopped(digits, tmp_path):
    whole, first = persistent(), persistent()
    for model in (whole, first):
        model.compile(keras.optimizers.Adam(1e-3))
    whole.fit(digits[:64], batch_size=16, epochs=2, shuffle=False, verbose=0)
    first.fit(digits[:64], batch_size=16, shuffle=False, verbose=0)
    first.save(tmp_path / "model.keras")
    second = zoo.load_model(tmp_path / "model.keras")
    second.fit(digits[:64], batch_size=16, shuffle=False, verbose=0)
    for one, other in zip(whole.weights, second.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_buffer_starts_chains_anew_at_its_rate():
    buffer = objectives.PersistentContrastiveDivergence(1, buffer_size=50, reinit_rate=0.2).buffer
    buffer.prepare((2, 2, 1))
    buffer.positions.assign(tf.fill([50, 2, 2, 1], 7.0))
    places, start = buffer.draw(tf.zeros([20_000, 2, 2, 1]), 0)
    assert set(places.numpy()) == set(range(50))
    anew = (start.numpy() != 7).all(axis=(1, 2, 3))
    assert anew.mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / 20_000))
    assert 0 < start.numpy()[anew].min() < start.numpy()[anew].max() < 1
    buffer.put(tf.constant([3, 5]), tf.zeros([2, 2, 2, 1]))
    np.testing.assert_array_equal(np.asarray(buffer.positions).sum(axis=(1, 2, 3)) == 0, np.isin(range(50), [3, 5]))


def test_chains_start_anew_at_data_at_their_share():
    buffer = objectives.PersistentContrastiveDivergence(1, 50, reinit_rate=0.5, reinit_from_data=0.3).buffer
    buffer.prepare((2, 2, 1))
    buffer.positions.assign(tf.fill([50, 2, 2, 1], 7.0))
    data = tf.fill([20_000, 2, 2, 1], 3.0)
    start = buffer.draw(data, 0)[1].numpy().reshape(20_000, 4)
    shares = {value: (start == value).all(axis=1).mean() for value in (7.0, 3.0)}
    assert shares[7.0] == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 20_000))
    assert shares[3.0] == pytest.approx(0.15, abs=4 * np.sqrt(0.15 * 0.85 / 20_000))
    assert (start < 1).all(axis=1).mean() == pytest.approx(0.35, abs=4 * np.sqrt(0.35 * 0.65 / 20_000))


def test_the_kl_term_moves_weights_by_the_chain_alone(digits):
    """Without it, a chain that stays where it starts trains nothing."""
    gradients = []
    for kl_weight in (0.0, 1.0):
        objective = objectives.ContrastiveDivergence(1, regularization=0.0, kl_weight=kl_weight)
        model = small(objective=objective, sampler=samplers.GradientDescent(1e-12))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.objective(tf.constant(digits[:8]), tf.constant(0, tf.int64), True)["loss"])
        gradients.append(tf.linalg.global_norm(tape.gradient(loss, model.trainable_variables)).numpy())
    assert gradients[0] < 1e-6
    assert gradients[1] > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small(objective="contrastive"), "unknown objective 'contrastive'"),
        (lambda: small(objective=3), "expected one of zoo.ebm.objectives"),
        (lambda: small(sampler=samplers.HamiltonianMonteCarlo()), r"others cannot be exported.*run_chains"),
        (lambda: small(sample_steps=0), "sample_steps is 0"),
        (
            lambda: zoo.EBM(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])),
            r"gives \[None, 64\], expected one energy an image",
        ),
        (lambda: objectives.PersistentContrastiveDivergence(reinit_rate=1.5), "reinit_rate is 1.5"),
        (lambda: objectives.DenoisingScoreMatching((0.5, 0.1)), "expected .smallest, largest."),
        (lambda: small().sample(2, steps=0), "steps is 0"),
        (lambda: small().sample(2, step_size=-1.0), "step_size is -1.0"),
        (
            lambda: small(sampler=samplers.GradientDescent(samplers.Geometric(1, 0.1, 5))).sample(2, step_size=0.1),
            "has a schedule for its step_size",
        ),
        (lambda: small(sampler=samplers.GradientDescent(1e38)).sample(2), "diverged"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(zoo.ZooError, match=message):
        make()


def test_denoising_is_the_mean_that_a_normal_distribution_gives():
    """For data N(m, S^2) and noise s, the most likely image is the one between what was seen and the mean."""
    model = normal_model(sampler=samplers.GradientDescent(2e-3))
    seen = np.random.default_rng(0).random((300, 1, 2, 1), np.float32)
    restored = model.restore(seen, noise_level=0.2, steps=200)
    share = SPREAD**2 / (SPREAD**2 + 0.2**2)
    np.testing.assert_allclose(restored, MEAN + share * (seen - MEAN), atol=1e-4)


@pytest.mark.parametrize("noise_level", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("step_size", [2e-3, 0.01])
@pytest.mark.parametrize("kind", [samplers.GradientDescent, samplers.Nesterov, samplers.UnadjustedLangevin])
def test_steps_far_too_large_for_what_was_seen_end_where_others_do(kind, step_size, noise_level):
    """Steps up to 25 times the squared noise, and still at the closed form."""
    model = normal_model(sampler=kind(step_size, **({"momentum": 0.5} if kind is samplers.Nesterov else {})))
    seen = np.random.default_rng(0).random((50, 1, 2, 1), np.float32)
    share = SPREAD**2 / (SPREAD**2 + noise_level**2)
    restored = model.restore(seen, noise_level=noise_level, steps=500)
    np.testing.assert_allclose(restored, MEAN + share * (seen - MEAN), atol=2e-4)


@pytest.mark.parametrize(
    "sampler",
    [
        samplers.UnadjustedLangevin(1e-4, temperature=0.25),
        samplers.UnadjustedLangevin(1e-4, noise_scale=float(np.sqrt(2 * 1e-4 * 0.25))),
    ],
    ids=["temperature", "noise_scale"],
)
def test_what_was_seen_weighs_as_much_as_the_temperature_of_chains_says(sampler):
    """Chains draw from N(m, T S^2), and restored images from its posterior given what was seen."""
    model = normal_model(sampler=sampler)
    own, noise = 0.25 * SPREAD**2, 0.05**2
    seen = np.full((3000, 1, 2, 1), 0.6, np.float32)
    drawn = model.restore(seen, noise_level=0.05, temperature=1.0, steps=600)
    variance = 1 / (1 / own + 1 / noise)
    mean = variance * (MEAN / own + 0.6 / noise)
    assert abs(drawn.mean() - mean) < 4.5 * np.sqrt(variance / drawn.size) + 0.02 * np.sqrt(variance)
    assert drawn.std() == pytest.approx(np.sqrt(variance), rel=0.04)
    heavy = model.restore(seen[:2], noise_level=0.05, steps=600, data_weight=1e4)
    np.testing.assert_allclose(heavy, seen[:2], atol=1e-3)


def test_equilibrium_matching_is_sampled_by_a_descent_that_arrives():
    model = zoo.EBM(conv_energy((8, 8, 1), (4,), 8), objectives.EquilibriumMatching(weight=4.0), sample_steps=50)
    assert isinstance(model.sampler, samplers.GradientDescent)
    assert model.sampler.step_size * 50 * 4.0 == pytest.approx(3.0)
    assert model.sampler.bounds is None
    kept = zoo.EBM.from_config(model.get_config())
    assert kept.sampler.step_size == model.sampler.step_size


class Told(Quadratic):
    """Half the energy while it trains."""

    def call(self, images, training=False):
        return super().call(images) * (0.5 if training else 1.0)


@pytest.mark.parametrize("name", sorted(objectives.OBJECTIVES))
def test_networks_are_told_that_they_train_and_chains_are_not(name):
    objective = objectives.OBJECTIVES[name]()
    images, terms = tf.constant(normal_pixels(8)), {}
    for kind in (Quadratic, Told):
        keras.utils.set_random_seed(0)
        model = zoo.EBM(keras.Sequential([keras.Input((1, 2, 1)), kind()]), objective, seed=0)
        model.objective_layer.prepare(model.image_shape)
        terms[kind] = [model.objective(images, 3, training) for training in (False, True)]
    reported = next(iter(set(objective.names) & {"data_energy", "energy"}))
    plain, told = ([each[reported] for each in terms[kind]] for kind in (Quadratic, Told))
    np.testing.assert_allclose(told[0], plain[0], rtol=1e-4)
    if name != "persistent_contrastive_divergence":  # whose buffer went on meanwhile
        np.testing.assert_allclose(told[1], 0.5 * plain[1], rtol=1e-4)


class Outside(keras.layers.Layer):
    """How far pixels are below 0."""

    def call(self, images):
        return tf.reduce_sum(tf.nn.relu(-images), axis=[1, 2, 3])[:, None]


def test_noise_leads_data_nowhere_that_chains_may_not_go():
    objective = objectives.ContrastiveDivergence(1, data_noise=0.1)
    model = zoo.EBM(keras.Sequential([keras.Input((1, 2, 1)), Outside()]), objective)
    values = model.objective(tf.zeros((8, 1, 2, 1)), 0, False)
    np.testing.assert_array_equal(values["data_energy"], 0)


@pytest.mark.parametrize("images", [1, 5])
def test_the_loss_of_chains_takes_schedules_clips_and_single_images(images):
    schedule = samplers.schedules.Geometric(1e-3, 1e-4, 5)
    sampler = samplers.UnadjustedLangevin(schedule, gradient_clip=1.0, bounds=(0.0, 1.0))
    model = normal_model(objective=objectives.ContrastiveDivergence(5, kl_weight=0.3), sampler=sampler)
    values = model.objective(tf.constant(normal_pixels(images)), 0, True)
    assert np.isfinite(values["loss"]).all()


def test_a_temperature_of_0_descends():
    model = normal_model(sampler=samplers.UnadjustedLangevin(2e-3))
    np.testing.assert_allclose(model.sample(5, temperature=0.0, steps=200), MEAN, atol=1e-3)
    exported = model.run("sample", seed=0, n=5, temperature=0.0, steps=200)["image"]
    np.testing.assert_allclose(exported, model.sample(5, temperature=0.0, steps=200), atol=1e-6)


def test_known_pixels_stay_and_unknown_ones_become_likely():
    model = normal_model()
    seen = np.random.default_rng(0).random((300, 1, 2, 1), np.float32)
    mask = np.zeros((300, 1, 2, 1))
    mask[:, :, 0] = 1
    restored = model.restore(seen, mask, steps=400)
    np.testing.assert_array_equal(restored[:, :, 0], seen[:, :, 0])
    np.testing.assert_allclose(restored[:, :, 1], MEAN, atol=0.02)
    drawn = model.restore(np.repeat(seen, 10, axis=0), np.repeat(mask, 10, axis=0), temperature=1.0, steps=400)
    assert drawn[:, :, 1].std() == pytest.approx(SPREAD, rel=0.06)
    np.testing.assert_array_equal(drawn[:1, :, 0], seen[:1, :, 0])


def test_a_blur_is_undone():
    images = np.zeros((2, 8, 8, 1), np.float32)
    images[:, 2:6, 3] = 1
    seen = Blur(tf.constant(0.8), 8, 8)(tf.constant(images)).numpy()
    flat = keras.layers.Dense(1, kernel_initializer="zeros")
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), flat])
    model = zoo.EBM(network, sampler=samplers.GradientDescent(1e-4, bounds=(0.0, 1.0)))
    restored = model.restore(seen, noise_level=0.01, blur=0.8, steps=1000)
    assert np.abs(restored - images).mean() < 0.4 * np.abs(seen - images).mean()
    how = {"image": seen, "mask": np.ones((2, 8, 8, 1)), "seed": 0, "steps": 1000, "noise_level": 0.01}
    np.testing.assert_allclose(model.run("restore", blur=0.8, **how)["restored"], restored, atol=1e-5)
    assert np.abs(model.run("restore", **how)["restored"] - restored).max() > 0.1


@pytest.mark.parametrize("spread", [0.0, 0.4, 1.5, 2.6])
def test_a_blur_is_that_of_scipy_and_its_transpose_is_one(spread):
    images, others = np.random.default_rng(0).random((2, 2, 8, 11, 1)).astype(np.float32)
    blur = Blur(tf.constant(spread), 8, 11)
    radius = max(1, math.ceil(3 * spread))
    expected = gaussian_filter(images, (0, spread, spread, 0), mode="nearest", radius=radius) if spread else images
    np.testing.assert_allclose(blur(images), expected, atol=1e-6)
    left, right = np.sum(blur(images).numpy() * others), np.sum(images * blur.transposed(others).numpy())
    np.testing.assert_allclose(left, right, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing to restore"),
        ({"mask": np.ones((3, 8, 8))}, r"mask has shape \[3, 8, 8\], expected \[3, 8, 8, 1\]"),
        ({"mask": np.full((3, 8, 8, 1), 0.5)}, "other values than 0 and 1"),
        ({"noise_level": 0.0}, "noise_level is 0.0"),
        ({"mask": np.ones((3, 8, 8, 1)), "blur": 1.0}, "give a noise_level"),
        ({"noise_level": 0.1, "blur": 3.0}, "blur is 3 pixels, expected at most a third"),
        ({"noise_level": 0.1, "temperature": -1.0}, "temperature is -1.0"),
        ({"noise_level": 0.1, "steps": 0}, "steps is 0"),
        ({"noise_level": 0.1, "data_weight": -1.0}, "data_weight is -1.0"),
    ],
)
def test_what_cannot_be_restored(digits, options, message):
    with pytest.raises(zoo.ZooError, match=message):
        small().restore(digits[:3], **options)


def test_images_that_no_noise_leads_to_are_refused(digits):
    with pytest.raises(zoo.ZooError, match=r"range from 0 to 255, further than noise of 0.3 leads.*Divide by 255"):
        small().restore(digits[:3] * 255, noise_level=0.3)
    with pytest.raises(zoo.ZooError, match="GradientDescent has no temperature"):
        normal_model(sampler=samplers.GradientDescent(0.1)).restore(normal_pixels(2), noise_level=0.1, temperature=1.0)


def test_energies_that_run_away_stop_training(digits):
    """Before they are NaN, with the cause and the remedy."""
    objective = objectives.ContrastiveDivergence(1, regularization=0.0, energy_limit=100.0)
    model = small(objective=objective)
    model.compile(keras.optimizers.SGD(1e6))
    with pytest.raises(zoo.ZooError, match="raise the objective's regularization"):
        model.fit(digits[:64], batch_size=16, epochs=3, verbose=0)
    with pytest.raises(zoo.ZooError, match="energy_limit is 0"):
        objectives.ContrastiveDivergence(energy_limit=0)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "linear"])
def test_sliced_score_matching_refuses_energies_without_curvature(activation):
    def made(activation):
        return zoo.EBM(conv_energy((8, 8, 1), (4,), 4, activation), objectives.SlicedScoreMatching())

    with pytest.raises(zoo.ZooError, match=r"no curvature.*swish"):
        made(activation).compile()
    made("softplus").compile()
