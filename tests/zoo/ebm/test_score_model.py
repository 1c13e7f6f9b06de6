"""The score model where all is known: independent Normal pixels, which a network of zeros is right for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.ebm.noise_descent import drawn_images
from zoo.networks import unet, unet_energy

SPREAD = 0.1  # of the pixels, around 0.5
SHAPE = (4, 4, 1)


def right_model(**options) -> zoo.ScoreModel:
    """D(y; s) = 0.5 + S^2 / (S^2 + s^2) (y - 0.5), the mean of Normal pixels; a U-Net gives 0 before it is trained."""
    network = unet(SHAPE, (4,), heads=1)
    return zoo.ScoreModel(network, **{"noise_levels": (0.002, 5.0), "deviation": SPREAD, "seed": 0, **options})


def test_denoising_and_the_score_are_those_of_normal_pixels():
    model = right_model()
    noisy = np.random.default_rng(0).normal(size=(5, *SHAPE)).astype(np.float32)
    total = SPREAD**2 + 0.3**2
    np.testing.assert_allclose(model.denoise(noisy, 0.3), 0.5 + SPREAD**2 / total * (noisy - 0.5), atol=1e-6)
    np.testing.assert_allclose(model.score(noisy, 0.3), -(noisy - 0.5) / total, rtol=1e-4, atol=1e-5)


def test_the_loss_of_what_is_right_is_the_number_of_pixels():
    """Errors of the right denoiser have the variance S^2 s^2 / (S^2 + s^2), which the weight is one over."""
    images = 0.5 + SPREAD * tf.random.stateless_normal([4000, *SHAPE], [0, 1])
    values = right_model().objective(images, 3, False)
    loss = values["loss"].numpy()
    assert loss.mean() == pytest.approx(16, abs=4 * loss.std() / np.sqrt(4000))
    assert values["denoising_error"].numpy().mean() < 16 * SPREAD**2


@pytest.mark.parametrize(("options", "median"), [({}, 0.6 * SPREAD), ({"level_median": 0.4}, 0.4)])
def test_half_of_the_levels_in_training_are_below_their_median(options, median):
    model, seen = right_model(**options), []
    denoised = model.denoised
    model.denoised = lambda images, levels, training=False: seen.append(levels) or denoised(images, levels, training)
    model.objective(tf.fill([4000, *SHAPE], 0.5), 3, False)
    assert np.mean(seen[0].numpy() < median) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(4000))


@pytest.mark.parametrize("renewal", [0.0, 0.5, 1.0])
def test_samples_have_the_spread_of_the_data(renewal):
    images = right_model(renewal=renewal).sample(600, seed=1, steps=60)
    # 9,600 independent pixels: 5 standard errors are 3.6 % of the spread; none is cut off at 5 standard deviations.
    assert images.std() == pytest.approx(SPREAD, rel=0.036)
    assert images.mean() == pytest.approx(0.5, abs=5 * SPREAD / np.sqrt(9600))


def test_steps_are_of_second_order():
    """The way of Normal pixels is known: x(s) - 0.5 is proportional to sqrt(S^2 + s^2)."""
    start = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)
    low, high = 0.05, 2.0
    exact = 0.5 + start * SPREAD / np.sqrt(SPREAD**2 + high**2)

    def denoiser(images, levels):
        return 0.5 + SPREAD**2 / (SPREAD**2 + levels[:, None, None, None] ** 2) * (images - 0.5)

    def error(steps: int) -> float:
        with_steps = tf.constant(steps, tf.int64)
        # The last step, from the lowest level to 0, is of first order: a level far below what is looked at.
        how = with_steps, high, low / 1000, tf.constant(0.0), lambda _: tf.zeros(start.shape)
        found = drawn_images(denoiser, tf.constant(start) + 0.5, *how)
        return float(np.abs(found - exact).max())

    assert error(40) < error(20) / 3
    assert error(160) < error(80) / 3


def test_noise_that_is_drawn_anew_makes_images_forget_where_they_began():
    """Without any, pixels are in proportion to the noise they began as; with all of it they have lost it."""
    model = right_model(sample_steps=60)
    began = model.sample(600, seed=1, temperature=0.01) - 0.5
    still, anew = (model.sample(600, seed=1, renewal=share) - 0.5 for share in (0.0, 1.0))
    assert np.corrcoef(began.ravel(), still.ravel())[0, 1] > 0.999
    assert abs(np.corrcoef(began.ravel(), anew.ravel())[0, 1]) < 5 / np.sqrt(9600)
    np.testing.assert_array_equal(model.sample(600, seed=1, renewal=1.0)[:8] - 0.5, anew[:8])


def test_restored_pixels_are_drawn_from_what_may_have_been():
    """For data N(m, S^2) seen with noise s: N(m + S^2 / (S^2 + s^2) (y - m), S^2 s^2 / (S^2 + s^2))."""
    model, noise = right_model(), 0.15
    seen = np.full((700, *SHAPE), 0.65, np.float32)
    share = SPREAD**2 / (SPREAD**2 + noise**2)
    mean, spread = 0.5 + share * 0.15, noise * np.sqrt(share)
    np.testing.assert_allclose(model.restore(seen[:2], noise_level=noise, steps=1), mean, atol=1e-5)
    drawn = model.restore(seen, noise_level=noise, steps=120)
    assert drawn.mean() == pytest.approx(mean, abs=5 * spread / np.sqrt(drawn.size))
    assert drawn.std() == pytest.approx(spread, rel=0.05)


def test_missing_pixels_are_drawn_and_known_ones_stay():
    model = right_model()
    seen = np.random.default_rng(0).random((700, *SHAPE), np.float32)
    mask = np.zeros((700, 4, 4, 1))
    mask[:, :2] = 1
    restored = model.restore(seen, mask, steps=120)
    np.testing.assert_array_equal(restored[:, :2], seen[:, :2])
    assert restored[:, 2:].std() == pytest.approx(SPREAD, rel=0.05)
    still = model.restore(seen, mask, temperature=0.0, steps=60)
    assert still[:, 2:].std() == pytest.approx(SPREAD, rel=0.08)
    np.testing.assert_array_equal(model.restore(seen, np.ones((700, 4, 4, 1))), seen)


def test_what_was_seen_may_leave_the_range_of_pixels():
    """Noise does."""
    model = right_model()
    seen = np.full((2, *SHAPE), 1.3, np.float32)
    assert np.isfinite(model.restore(seen, noise_level=0.3)).all()
    with pytest.raises(zoo.ZooError, match="expected pixels"):
        model.restore(seen, np.ones((2, 4, 4, 1)))


def test_odd_images_have_higher_scores():
    model = right_model()
    images = np.stack([np.full(SHAPE, value, np.float32) for value in (0.5, 0.7, 1.0)])
    scores = model.anomaly_score(images)
    assert scores[0] < scores[1] < scores[2]
    np.testing.assert_allclose(model.anomaly_score(images[1:2]), scores[1:2], rtol=1e-5)


def test_training_lowers_the_error(digits):
    keras.utils.set_random_seed(0)
    model = zoo.ScoreModel(unet((8, 8, 1), (8, 16)), seed=0)
    model.compile(keras.optimizers.Adam(3e-3))
    history = model.fit(digits, batch_size=64, epochs=6, verbose=0).history["loss"]
    assert history[-1] < 0.75 * history[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: right_model(noise_levels=(1.0, 0.1)), "expected .smallest, largest."),
        (lambda: right_model(deviation=0), "deviation is 0"),
        (lambda: right_model(sample_steps=1), "sample_steps is 1"),
        (lambda: zoo.ScoreModel(unet((4, 4, 1), (4,), levels=False)), "expected two, images and"),
        (lambda: zoo.ScoreModel(unet_energy(SHAPE, (4,))), "expected two, images and"),
        (lambda: right_model(level_median=0.0), "level_median is 0.0"),
        (lambda: right_model(renewal=1.5), "renewal is 1.5, expected a share"),
        (lambda: right_model().sample(2, steps=0), "steps is 0"),
        (lambda: right_model().sample(2, renewal=-0.5), "renewal is -0.5, expected"),
        (lambda: right_model().denoise(np.zeros((2, *SHAPE)), 0.0), "noise_level is 0.0"),
        (lambda: right_model().restore(np.zeros((2, *SHAPE), np.float32)), "nothing to restore"),
        (
            lambda: right_model().restore(np.zeros((2, *SHAPE), np.float32), noise_level=0.1, temperature=2.0),
            "temperature is 2.0, expected a share",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(zoo.ZooError, match=message):
        make()
