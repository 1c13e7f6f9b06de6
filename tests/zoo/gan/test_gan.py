"""The game: its steps against what they should be, where training goes, what is saved and refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.gan import monitors
from zoo.gan.game import dealt, mean_of_turns
from zoo.gan.gan import GAN
from zoo.gan.penalties import R1
from zoo.networks.dcgan import dcgan_discriminator, dcgan_generator

SHAPE = (8, 8, 1)


def small(normalization="batch", **options) -> GAN:
    keras.utils.set_random_seed(1)
    discriminator = dcgan_discriminator(SHAPE, (4, 8), normalization)
    return GAN(dcgan_generator(SHAPE, 4, (8, 4)), discriminator, seed=0, **options)


class Point(keras.layers.Layer):
    """A generator that has learned one pixel."""

    def build(self, shape):
        self.place = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.7))

    def call(self, latents):
        return tf.reshape(0.0 * latents[:, :1] + self.place, [-1, 1, 1, 1])


def dirac(step_size: float, **options) -> tuple[GAN, list[float]]:
    """The Dirac-GAN (Mescheder et al. 2018, definition 2.1): real data in one place, generated in another, D a line.

    Theirs are at 0; here they are at 0.5, so that all places on the way are pixels.
    """
    generator = keras.Sequential([keras.Input((1,)), Point()])
    slope = keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(0.2))
    centred = keras.layers.Rescaling(1.0, -0.5)
    discriminator = keras.Sequential([keras.Input((1, 1, 1)), centred, keras.layers.Flatten(), slope])
    model = GAN(generator, discriminator, average=0.0, seed=0, **options)
    model.compile(keras.optimizers.SGD(step_size), keras.optimizers.SGD(step_size))
    radii = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_, **__: radii.append(
            float(np.hypot(model.generator.get_weights()[0] - 0.5, slope.get_weights()[0][0, 0]))
        )
    )
    model.fit(np.full((400, 1, 1, 1), 0.5, np.float32), batch_size=2, verbose=0, shuffle=False, callbacks=[note])
    return model, radii


def rate(step_size: float, damping: float) -> float:
    """The size of the eigenvalues of an alternating step near the equilibrium.

    slope' = slope - h (place / 2 + damping slope),    place' = place + h slope' / 2
    """
    first = np.array([[1 - step_size * damping, -step_size / 2], [0, 1]])
    second = np.array([[1, 0], [step_size / 2, 1]])
    return float(np.abs(np.linalg.eigvals(second @ first)).max())


def test_without_a_penalty_the_dirac_gan_circles():
    _, radii = dirac(0.2)
    assert rate(0.2, 0.0) == pytest.approx(1)
    assert 0.8 < radii[-1] / radii[0] < 1.25


def test_with_r1_it_converges_at_the_rate_of_its_eigenvalues():
    """In units of pixels from -1 to 1 the line is half as steep: weight w damps by w / 4."""
    for weight in (0.8, 2.0):
        _, radii = dirac(0.2, penalties=[R1(weight)])
        expected = np.log(rate(0.2, weight / 4))
        found = np.polyfit(np.arange(40, 200), np.log(radii[40:]), 1)[0]
        assert found == pytest.approx(expected, rel=0.08)
        assert radii[-1] < 0.05 * radii[0]


def test_a_lazy_penalty_weighs_as_much():
    _, eager = dirac(0.1, penalties=[R1(1.0)])
    _, lazy = dirac(0.1, penalties=[R1(1.0, every=4)])
    assert np.log(lazy[-1] / lazy[0]) == pytest.approx(np.log(eager[-1] / eager[0]), rel=0.15)


def test_each_step_moves_one_network_and_its_own_optimizer(digits):
    model = small(discriminator_steps=3)
    model.compile()
    before = [
        [weight.numpy() for weight in part.trainable_variables] for part in (model.generator, model.discriminator)
    ]
    images = tf.constant(digits[:12])
    model._update_discriminator(images, None, tf.constant(1, tf.int64))
    for old, new in zip(before[0], model.generator.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)
    assert any(
        not np.array_equal(o, n) for o, n in zip(before[1], model.discriminator.trainable_variables, strict=True)
    )
    middle = [weight.numpy() for weight in model.discriminator.trainable_variables]
    model._update_generator(images, None, tf.constant(1, tf.int64))
    for old, new in zip(middle, model.discriminator.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, new)
    assert any(not np.array_equal(o, n) for o, n in zip(before[0], model.generator.trainable_variables, strict=True))
    model.train_step(images)
    assert (int(model.optimizer.iterations), int(model.discriminator_optimizer.iterations)) == (2, 4)


def test_samples_are_those_of_the_averaged_weights(digits):
    model = small(average=0.9)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    expected = [weight.numpy() for weight in model.generator.trainable_variables]
    for step in range(15):
        model.train_step(tf.constant(digits[:16]))
        momentum = min(0.9, (2 + step) / (11 + step))
        expected = [
            momentum * average + (1 - momentum) * weight.numpy()
            for average, weight in zip(expected, model.generator.trainable_variables, strict=True)
        ]
    generator = keras.models.clone_model(model.generator)
    statistics = [weight.numpy() for weight in model.generator.non_trainable_variables]
    for variables, values in (
        (generator.trainable_variables, expected),
        (generator.non_trainable_variables, statistics),
    ):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    latents = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(model.generate(latents), generator(latents, training=False), atol=1e-5)
    assert not np.allclose(model.generate(latents), model.generator(latents, training=False), atol=1e-3)


def test_weights_are_clipped(digits):
    model = small(loss="wasserstein", weight_clip=0.01)
    model.compile()
    model.fit(digits[:64], verbose=0)
    assert max(np.abs(weight).max() for weight in model.discriminator.trainable_variables) <= 0.01


def test_it_learns_the_mean_and_spread_of_pixels(digits):
    keras.utils.set_random_seed(0)
    model = GAN(
        dcgan_generator(SHAPE, 8, (32, 16)),
        dcgan_discriminator(SHAPE, (16, 32), normalization="none"),
        "relativistic",
        [R1(1.0)],
        average=0.99,
        seed=0,
    )
    model.compile(keras.optimizers.Adam(2e-3, 0.5), keras.optimizers.Adam(2e-3, 0.5), jit_compile=True)
    before = np.abs(model.sample(500).mean(axis=0) - digits.mean(axis=0)).mean()
    model.fit(digits, batch_size=64, epochs=15, verbose=0)
    images = model.sample(500)
    assert np.abs(images.mean(axis=0) - digits.mean(axis=0)).mean() < 0.3 * before
    assert np.abs(images.std(axis=0) - digits.std(axis=0)).mean() < 0.12


def test_a_run_goes_on_from_a_file_as_if_it_had_not_stopped(digits, tmp_path):
    """Both optimizers, the average and the step come back."""
    straight, first = (small("none", penalties=["r1"]) for _ in range(2))
    for model in (straight, first):
        model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.RMSprop(1e-3))
        model.fit(digits[:64], batch_size=16, shuffle=False, verbose=0)
    first.save(tmp_path / "gan.keras")
    again = keras.models.load_model(tmp_path / "gan.keras")
    for model in (straight, again):
        model.fit(digits[64:128], batch_size=16, shuffle=False, verbose=0)
    # Sums over threads differ in their last digits; an optimizer begun again differs by 1e-3 in its first step.
    for one, other in zip(straight.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=3e-5)
    np.testing.assert_allclose(straight.sample(3), again.sample(3), atol=1e-4)
    assert isinstance(again.discriminator_optimizer, keras.optimizers.RMSprop)
    assert int(again.discriminator_optimizer.iterations) == 8


@pytest.mark.parametrize(
    "options, message",
    [
        ({"loss": "hing"}, "unknown loss 'hing'.*hinge"),
        ({"penalties": ["r3"]}, "unknown penalty 'r3'"),
        ({"augmentation": ["flip"]}, "unknown augmentation 'flip'"),
        ({"average": 1.0}, "average is 1.0"),
        ({"label_smoothing": 0.1, "loss": "hinge"}, "no targets to smooth.*least_squares"),
        ({"penalties": ["r1", R1(2.0)]}, "hold one twice"),
        ({"penalties": ["gradient_penalty"]}, "needs, not 'non_saturating'. Use R1 or R2"),
        ({"discriminator_steps": 0}, "discriminator_steps is 0"),
        ({"weight_clip": 0.0}, "weight_clip is 0.0"),
        ({"penalties": "r1"}, r"penalties is 'r1', expected a list: penalties=\['r1'\]"),
        ({"augmentation": "color"}, "augmentation is 'color', expected a list"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(zoo.ZooError, match=message):
        small("none", **options)


def test_pairs_that_break_their_promise():
    with pytest.raises(zoo.ZooError, match=r"BatchNormalization judges each by all others.*normalization='none'"):
        small(penalties=["r1"])
    for normalization in ("none", "batch"):
        with pytest.raises(zoo.ZooError, match=r"nothing holds this one: give penalties=\['gradient_penalty'\]"):
            small(normalization, loss="wasserstein")
    small("spectral", loss="wasserstein")
    small(loss="wasserstein", weight_clip=0.01)


def test_parts_and_optimizers_that_do_not_fit():
    generator, discriminator = dcgan_generator(SHAPE, 4, (4,)), dcgan_discriminator(SHAPE, (4,))
    for parts, message in (
        ((dcgan_generator((8, 8, 3), 4, (4,)), discriminator), r"images \[8, 8, 3\] and the discriminator takes"),
        ((generator, keras.Model(discriminator.input, discriminator.layers[-2].output)), "expected one logit an image"),
        (("generator", discriminator), "is a str"),
        (
            (generator, keras.Sequential([discriminator, keras.layers.Activation("sigmoid")])),
            "ends with a sigmoid, and all losses take logits",
        ),
        ((generator, keras.Sequential([keras.layers.Dense(1)])), "discriminator does not know its input shape"),
        ((generator, dcgan_discriminator(SHAPE, (4,), "none", 3, "classifier")), "gives 2 outputs.*ConditionalGAN"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            GAN(*parts)
    model = GAN(generator, discriminator)
    optimizer = keras.optimizers.Adam()
    with pytest.raises(zoo.ZooError, match="both optimizers are one object"):
        model.compile(optimizer, optimizer)
    model.compile("adam", "adam")
    assert model.optimizer is not model.discriminator_optimizer
    frozen = dcgan_generator(SHAPE, 4, (4,))
    frozen.trainable = False
    with pytest.raises(zoo.ZooError, match="the generator has no weights to train"):
        GAN(frozen, discriminator).compile()
    with pytest.raises(zoo.ZooError, match="two optimizers"):
        model.compile(optimizer="adam")
    with pytest.raises(zoo.ZooError, match="takes no label"):
        model.sample(2, label=1)


def test_a_generator_that_leaves_the_range_is_refused(digits):
    latents = keras.Input((4,))
    images = keras.layers.Reshape(SHAPE)(keras.layers.Dense(64, "tanh")(latents))
    model = GAN(keras.Model(latents, images), dcgan_discriminator(SHAPE, (4,)))
    model.compile()
    with pytest.raises(zoo.ZooError, match=r"pixels from -\d.* to .*Rescaling\(0.5, 0.5\)"):
        model.fit(digits[:32], verbose=0)
    mapped = GAN(keras.Model(latents, keras.layers.Rescaling(0.5, 0.5)(images)), dcgan_discriminator(SHAPE, (4,)))
    mapped.compile()
    mapped.fit(digits[:32], verbose=0)


def test_a_generator_that_leaves_the_range_later_stops_training(digits):
    """Small weights at first, and a ReLU with no upper end."""
    initializer = keras.initializers.RandomNormal(stddev=1e-3, seed=0)
    latents = keras.Input((4,))
    images = keras.layers.Reshape(SHAPE)(keras.layers.Dense(64, "relu", kernel_initializer=initializer)(latents))
    model = GAN(keras.Model(latents, images), dcgan_discriminator(SHAPE, (4,)), average=0.0, seed=0)
    model.compile(keras.optimizers.Adam(0.5), keras.optimizers.Adam(1e-3))
    with pytest.raises(zoo.ZooError, match=r"at batch .*The generator broke first: its images.*leave \[0, 1\]"):
        model.fit(digits[:128], batch_size=16, epochs=5, verbose=0)


def test_a_model_saved_before_it_makes_images_is_read_again(tmp_path):
    """Whatever the weights are before those of the file."""
    latents = keras.Input((4,))
    initializer = keras.initializers.RandomNormal(stddev=5.0, seed=0)
    images = keras.layers.Reshape(SHAPE)(keras.layers.Dense(64, kernel_initializer=initializer)(latents))
    model = GAN(keras.Model(latents, images), dcgan_discriminator(SHAPE, (4,)))
    model.generator.set_weights([0 * weight + 0.5 for weight in model.generator.get_weights()])
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(zoo.load_model(tmp_path / "model.keras").sample(2), model.sample(2))


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_last_batch_smaller_than_the_steps_is_dealt_out_again(jit_compile, digits):
    model = small("none", discriminator_steps=5)
    model.compile(jit_compile=jit_compile)
    model.fit(digits[:23], batch_size=20, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert int(model.discriminator_optimizer.iterations) == 10


def test_batches_too_small_for_the_steps_are_refused(digits):
    model = small("none", discriminator_steps=5)
    model.compile()
    with pytest.raises(zoo.ZooError, match=r"batches of 4 cannot be dealt out among 5 steps.*example 320"):
        model.fit(digits[:64], batch_size=4, verbose=0)


def test_values_of_all_turns_are_reported(digits):
    """A penalty that is due in one turn of two is not lost for that."""
    lazy, plain = small("none", discriminator_steps=2, penalties=[R1(1.0, every=2)]), small("none", penalties=["r1"])
    for model in (lazy, plain):
        model.compile(*(keras.optimizers.SGD(1e-6) for _ in range(2)))
    found = [model.fit(digits[:256], batch_size=32, verbose=0).history["r1"][0] for model in (lazy, plain)]
    assert found[0] == pytest.approx(found[1] / 10, rel=0.2)
    kept = mean_of_turns([{"a": tf.constant([1.0, 3.0])}, {"a": tf.constant([np.nan])}, {"a": tf.constant([5.0])}])
    assert np.isnan(kept["a"])
    first = mean_of_turns(
        [{"a": tf.constant(1.0), "b": tf.constant(np.inf)}, {"a": tf.constant(np.nan), "b": tf.constant(1.0)}]
    )
    assert np.isfinite(first["a"])
    assert not np.isfinite(first["b"])


def test_an_empty_batch_of_a_replica_breaks_nothing():
    none, images = tf.zeros([0, 2, 2, 1]), tf.ones([3, 2, 2, 1])
    assert float(monitors.diversity(none, none)) == 0
    assert float(monitors.diversity(images, images)) == 0
    assert float(mean_of_turns([{"a": tf.zeros([0])}])["a"]) == 0


def test_layers_can_be_frozen_after_the_average_is_made(digits):
    model = small("none")
    before = model.generator.layers[1].get_weights()
    model.generator.layers[1].trainable = False
    model.compile()
    model.fit(digits[:64], batch_size=16, verbose=0)
    np.testing.assert_array_equal(before[0], model.generator.layers[1].get_weights()[0])
    averages = {average.path: variable for variable, average in model.averaged._trained}
    assert len(averages) == len([*model.generator.weights]) - len(model.averaged._statistics)
    assert model.sample(2).shape == (2, *SHAPE)


def test_each_image_is_dealt_once_where_there_are_enough():
    parts = [dealt(tf.range(10), turn, 5).numpy() for turn in range(5)]
    assert sorted(np.concatenate(parts)) == list(range(10))
    assert [len(dealt(tf.range(7), turn, 3)) for turn in range(3)] == [3, 3, 3]
    assert set(np.concatenate([dealt(tf.range(7), turn, 3) for turn in range(3)])) == set(range(7))


def test_regularizers_of_both_networks_reach_their_losses(digits):
    """A weight decay of 1e3 with a step of 1e-4 halves kernels in a few steps."""
    latents, images = keras.Input((4,)), keras.Input(SHAPE)
    regularized = {"kernel_regularizer": keras.regularizers.L2(1e3), "use_bias": False}
    made = keras.layers.Reshape(SHAPE)(keras.layers.Dense(64, "sigmoid", **regularized)(latents))
    judged = keras.layers.Dense(1, **regularized)(keras.layers.Flatten()(images))
    model = GAN(keras.Model(latents, made), keras.Model(images, judged), seed=0)
    model.compile(keras.optimizers.SGD(1e-4), keras.optimizers.SGD(1e-4))
    before = [np.linalg.norm(part.get_weights()[0]) for part in (model.generator, model.discriminator)]
    history = model.fit(digits[:64], batch_size=16, verbose=0).history
    assert history["loss"][0] > history["generator_loss"][0] + history["discriminator_loss"][0] + 100
    weighed = model.evaluate(digits[:64], verbose=0, return_dict=True)
    assert weighed["loss"] > weighed["generator_loss"] + weighed["discriminator_loss"] + 100
    after = [np.linalg.norm(part.get_weights()[0]) for part in (model.generator, model.discriminator)]
    np.testing.assert_allclose(np.divide(after, before), 0.8**4, rtol=0.05)


def test_both_optimizers_scale_the_loss_in_half_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small("none")
    finally:
        keras.config.set_dtype_policy(before)
    model.compile()
    scaled = keras.optimizers.LossScaleOptimizer
    assert isinstance(model.optimizer, scaled)
    assert isinstance(model.discriminator_optimizer, scaled)
    model.compile_from_config(model.get_compile_config())
    assert isinstance(model.discriminator_optimizer, scaled)
    assert not isinstance(model.discriminator_optimizer.inner_optimizer, scaled)


def test_the_size_is_that_of_the_networks():
    models = small("none"), small("none", average=0.0)
    assert len({model.count_params() for model in models}) == 1
    assert models[0].count_params() == models[0].generator.count_params() + models[0].discriminator.count_params()
    assert len(models[1].weights) < len(models[0].weights)


def test_held_out_images_are_judged_as_in_training(digits):
    """With batch statistics, which evaluation neither uses up nor changes."""
    model = small()
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    model.fit(digits[:512], batch_size=64, epochs=5, verbose=0)
    images = tf.constant(digits[:64])
    before = model.get_weights()
    found = model.objective(images, tf.constant(3, tf.int64), False)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    logits = tf.reshape(model.discriminator(images, training=True), [-1])
    np.testing.assert_array_equal(found["real_accuracy"], (logits.numpy() > 0).astype(np.float32))
    assert found["diversity"].shape == (64,)


def test_what_training_reports(digits):
    """Held-out images have no penalty and no step, and no such metrics."""
    model = small("none", penalties=["r1", "r2"])
    model.compile()
    history = model.fit(digits[:64], validation_data=digits[64:96], batch_size=16, verbose=0).history
    watched = {
        "loss",
        "generator_loss",
        "discriminator_loss",
        "real_accuracy",
        "fake_accuracy",
        "separation",
        "diversity",
    }
    assert set(history) == watched | {f"val_{name}" for name in watched} | {"update_ratio", "r1", "r2"}
    assert set(model.evaluate(digits[:32], verbose=0, return_dict=True)) == watched


def test_updates_are_compared_by_their_relative_length(digits):
    model = small(average=0.0)
    model.compile(keras.optimizers.SGD(0.3), keras.optimizers.SGD(0.1))
    networks = (model.generator, model.discriminator)
    before = [[weight.numpy() for weight in network.trainable_variables] for network in networks]
    reported = float(model.train_step(tf.constant(digits[:16]))["update_ratio"])
    changes = []
    for old, network in zip(before, networks, strict=True):
        new = [weight.numpy() for weight in network.trainable_variables]
        length = np.sqrt(sum(np.square(n - o).sum() for n, o in zip(new, old, strict=True)))
        changes.append(length / np.sqrt(sum(np.square(o).sum() for o in old)))
    assert reported == pytest.approx(changes[0] / changes[1], rel=1e-3)


class Broken(R1):
    """A penalty that is not finite."""

    name = "broken"

    def __call__(self, *arguments):
        return super().__call__(*arguments) / 0.0


@pytest.mark.parametrize(
    "options, rates, message",
    [
        ({"penalties": [Broken()]}, (1e-3, 1e-3), "discriminator broke first, in the penalty broken"),
        ({"loss": "least_squares"}, (1e-3, 1e30), "discriminator broke first: a step was too large"),
        ({"loss": "least_squares"}, (1e38, 1e-3), "generator broke first: its images are not finite"),
    ],
)
@pytest.mark.parametrize(("steps_per_execution", "discriminator_steps"), [(1, 1), (4, 1), (1, 3)])
def test_what_is_not_finite_stops_training_and_has_a_name(
    digits, options, rates, message, steps_per_execution, discriminator_steps
):
    model = small("none", average=0.0, discriminator_steps=discriminator_steps, **options)
    model.compile(*(keras.optimizers.SGD(rate) for rate in rates), steps_per_execution=steps_per_execution)
    with pytest.raises(zoo.ZooError, match=message):
        model.fit(digits[:128], batch_size=16, epochs=3, verbose=0)


def test_a_pixel_out_of_range_stops_training_and_leaves_the_weights_finite(digits):
    model = small()
    model.compile()
    batches = tf.data.Dataset.from_tensor_slices(np.concatenate([digits[:16], digits[:16] - np.nan])).batch(16)
    with pytest.raises(zoo.ZooError, match=r"batch 2: loss is not finite\. Pixels of that batch are NaN"):
        model.fit(batches, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_sample_weights_are_refused(digits):
    model = small()
    model.compile()
    with pytest.raises(zoo.ZooError, match="leave sample_weight out"):
        model.fit(digits[:16], sample_weight=np.ones(16), verbose=0)


def test_interpolation_starts_and_ends_at_the_latents():
    model = small()
    first, second = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    images = model.interpolate(first, second, steps=5)
    assert images.shape == (3, 5, *SHAPE)
    np.testing.assert_allclose(images[:, 0], model.generate(first), atol=1e-5)
    np.testing.assert_allclose(images[:, -1], model.generate(second), atol=1e-5)
    with pytest.raises(zoo.ZooError, match="give as many of both"):
        model.interpolate(first, second[:2])
