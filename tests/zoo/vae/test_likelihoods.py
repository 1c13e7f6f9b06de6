"""The likelihoods against SciPy, TFP and enumeration; their draws, checks, training and export."""

import itertools

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

import export
import zoo
from export import onnx
from export.session import open_session
from zoo.networks import mlp_decoder, mlp_encoder
from zoo.sampling import draw
from zoo.signature import SEED, NamedTensor, Signature
from zoo.vae.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretizedLogisticMixture,
    Likelihood,
    Normal,
)

EVERY = {
    "bernoulli": Bernoulli,
    "normal": Normal,
    "normal_per_pixel": lambda: Normal(per_pixel=True),
    "continuous_bernoulli": ContinuousBernoulli,
    "categorical": lambda: Categorical(levels=17),
    "discretized_logistic_mixture": lambda: DiscretizedLogisticMixture(components=2, levels=17),
}
NEW = [name for name in EVERY if name not in ("bernoulli", "normal")]  # those two are in the models of other tests
DRAWS = 40_000


def built(name: str) -> Likelihood:
    layer = EVERY[name]()
    layer.build(None)
    return layer


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("likelihood", [Bernoulli("none"), Categorical(levels=2), DiscretizedLogisticMixture(levels=2)])
def test_a_later_batch_that_is_off_the_support_stops_training(likelihood):
    """Of a dataset, the first batch alone is looked at beforehand."""
    images = np.random.default_rng(0).integers(0, 2, (40, 4, 4, 1)).astype(np.float32)
    assert likelihood.supports(tf.constant(images))
    images[30:] = 0.3
    decoder = mlp_decoder(2, (4, 4, likelihood.parameters_for(1)), (4,))
    model = zoo.VAE(mlp_encoder((4, 4, 1), (4,)), decoder, likelihood=likelihood)
    model.compile("adam")
    with pytest.raises(zoo.ZooError, match=f"batch 4.*off the support of {type(likelihood).__name__}: .*Continuous"):
        model.fit(tf.data.Dataset.from_tensor_slices(images).batch(10), verbose=0)


def mixture_parameters(logits, locs, log_scales, coefficients=()) -> np.ndarray:
    """Returns the decoder's output for one pixel [1, 1, 1, numbers], from lists by channel of lists by component."""
    parts = [logits, *locs, *log_scales, *coefficients]
    return np.concatenate([np.ravel(part) for part in parts]).astype(np.float32)[None, None, None]


def exact_mixture(parameters: np.ndarray, pixel: np.ndarray, components: int, levels: int) -> float:
    """Returns p(pixel) by equations 2 and 3 of Salimans et al. (2017), in double precision, term by term."""
    channels = len(pixel)
    logits, *rest = np.split(parameters.astype(np.float64), len(parameters) // components)
    weights, y, total = scipy.special.softmax(logits), 2 * pixel - 1, 0.0
    coefficients = iter(rest[2 * channels :])
    pairs = {(later, earlier): next(coefficients) for later in range(channels) for earlier in range(later)}
    for component in range(components):
        product = weights[component]
        for channel in range(channels):
            loc = rest[channel][component]
            loc += sum(np.tanh(pairs[channel, earlier][component]) * y[earlier] for earlier in range(channel))
            scale = np.exp(rest[channels + channel][component])
            upper = 1 if pixel[channel] == 1 else scipy.stats.logistic.cdf(y[channel] + 1 / (levels - 1), loc, scale)
            lower = 0 if pixel[channel] == 0 else scipy.stats.logistic.cdf(y[channel] - 1 / (levels - 1), loc, scale)
            product *= upper - lower
        total += product
    return total


# Probabilities.


@pytest.mark.parametrize("layer", [Categorical(), DiscretizedLogisticMixture()], ids=lambda layer: layer.name)
def test_the_256_levels_of_a_pixel_sum_to_one(layer):
    parameters = tf.constant(2 * numbers(2, 3, 1, 1, layer.parameters_for(1)))
    values = np.arange(256, dtype=np.float32).reshape(256, 1, 1, 1, 1, 1) / 255
    probabilities = np.exp(layer.distribution(parameters).log_prob(values))
    assert probabilities.shape == (256, 2, 3)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, rtol=2e-5)


@pytest.mark.parametrize("levels", [2, 5])
@pytest.mark.parametrize("kind", [Categorical, DiscretizedLogisticMixture])
def test_all_colours_sum_to_one_over_the_channels_together(kind, levels):
    layer = kind(levels=levels)
    colours = np.array(list(itertools.product(range(levels), repeat=3)), np.float32) / (levels - 1)
    parameters = tf.constant(2 * numbers(1, 1, layer.parameters_for(3)))
    probabilities = np.exp(layer.distribution(parameters).log_prob(colours[:, None, None]))
    assert probabilities.sum() == pytest.approx(1, rel=2e-5)
    assert probabilities.min() > 0


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_mixtures_agree_with_the_equations_in_double_precision(channels):
    layer, generator = DiscretizedLogisticMixture(components=3, levels=256), np.random.default_rng(channels)
    parameters = generator.normal(size=(20, 1, 1, layer.parameters_for(channels))).astype(np.float32)
    pixels = generator.choice([0, 1, 100, 254, 255], (20, channels)) / 255
    got = layer.distribution(tf.constant(parameters)).log_prob(pixels[:, None, None].astype(np.float32))
    expected = [np.log(exact_mixture(row[0, 0], pixel, 3, 256)) for row, pixel in zip(parameters, pixels, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=2e-5)


def test_one_component_is_the_quantized_logistic_of_tfp():
    loc, log_scale = np.array([-0.7, 0.2, 0.9]), np.array([-4.0, -2.0, 0.5])
    levels = np.arange(256.0)
    in_levels = tfd.Logistic(tf.constant((loc + 1) * 127.5)[:, None], tf.constant(np.exp(log_scale) * 127.5)[:, None])
    # TFP rounds up, so half a level is taken off first.
    rounded = tfd.TransformedDistribution(in_levels, tfb.Shift(tf.constant(-0.5, tf.float64)))
    expected = tfd.QuantizedDistribution(rounded, low=0.0, high=255.0).log_prob(levels)
    rows = [mixture_parameters([0], [[a]], [[b]]) for a, b in zip(loc, log_scale, strict=True)]
    distribution = DiscretizedLogisticMixture(components=1).distribution(tf.constant(np.stack(rows)))
    values = np.tile((levels / 255).astype(np.float32)[:, None, None, None], (3, 1, 1, 1, 1))
    got = distribution.log_prob(values).numpy()
    assert got.shape == (3, 256)
    likely = expected.numpy() > -25  # beyond, TFP's difference of two distribution functions loses its digits
    assert likely.mean() > 0.4
    np.testing.assert_allclose(got[likely], expected.numpy()[likely], rtol=1e-4, atol=1e-5)


def test_categorical_agrees_with_a_softmax_by_channel():
    layer = Categorical(levels=4)
    logits, levels = numbers(5, 2, 3, 2, 4), np.random.default_rng(1).integers(0, 4, (5, 2, 3, 2))
    got = layer.distribution(tf.constant(logits.reshape(5, 2, 3, 8))).log_prob((levels / 3).astype(np.float32))
    chosen = np.take_along_axis(scipy.special.log_softmax(logits, axis=-1), levels[..., None], axis=-1)
    np.testing.assert_allclose(got, chosen.sum(axis=(1, 2, 3, 4)), rtol=1e-5)


def test_normal_with_a_scale_per_pixel():
    layer, parameters, images = Normal(scale=0.2, per_pixel=True), numbers(3, 2, 2, 6), numbers(3, 2, 2, 3, seed=1)
    parameters[..., 3:] *= 3
    parameters[0, 0, 0, 3:] = [0, -1000, 1000]
    distribution = layer.distribution(tf.constant(parameters))
    scale = distribution.distribution.scale.numpy()
    np.testing.assert_allclose(scale[0, 0, 0], [0.2, 1e-3, 1000], rtol=2e-3)
    assert scale.min() >= 1e-3
    expected = scipy.stats.norm(parameters[..., :3], scale).logpdf(images).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(distribution.log_prob(images), expected, rtol=1e-5)


@pytest.mark.parametrize("logit", [-30.0, -1.0, -1e-3, 0.0, 0.3, 4.0, 30.0])
def test_continuous_bernoulli_is_a_density_with_the_mean_given(logit):
    points = (np.arange(20_000) + 0.5) / 20_000
    layer, parameters = ContinuousBernoulli(), tf.constant([[[logit]]])
    density = np.exp(layer.distribution(parameters).log_prob(points.astype(np.float32)[:, None, None, None]))
    assert density.mean() == pytest.approx(1, rel=1e-4)
    assert layer.mean(parameters).numpy().item() == pytest.approx((density * points).mean(), rel=1e-4)


@pytest.mark.parametrize("name", EVERY)
def test_draws_axes_broadcast(name):
    """As in `VAE.weigher`: parameters [draws, batch, ...] score images [batch, ...]."""
    layer = built(name)
    parameters, images = numbers(4, 5, 2, 3, layer.parameters_for(3)), np.full((5, 2, 3, 3), 0.25, np.float32)
    together = layer.distribution(tf.constant(parameters)).log_prob(images)
    assert together.shape == (4, 5)
    alone = [layer.distribution(tf.constant(part)).log_prob(images) for part in parameters]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


# Numbers far out.


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", ["categorical", "continuous_bernoulli", "discretized_logistic_mixture"])
def test_extreme_parameters_keep_values_and_gradients_finite(name, jit_compile):
    layer = {"categorical": Categorical, "discretized_logistic_mixture": DiscretizedLogisticMixture}.get(
        name, ContinuousBernoulli
    )()
    extremes = np.random.default_rng(0).choice([0, 1e-8, 1, -1, 30, -30, 1e3, -1e3, 1e6, -1e6], (300, 1, 1, 1))
    size = layer.parameters_for(3)
    parameters = np.random.default_rng(1).permuted(np.resize(extremes, (300, 1, 1, size)), axis=-1).astype(np.float32)
    images = np.random.default_rng(2).choice([0, 1, 128, 255], (300, 1, 1, 3)).astype(np.float32) / 255

    @tf.function(jit_compile=jit_compile)
    def score(values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            result = layer.distribution(values).log_prob(images)
        return result, tape.gradient(result, values), layer.mean(values)

    for value in score(tf.constant(parameters)):
        assert np.isfinite(value).all()


def test_thin_bins_far_out_keep_their_digits():
    """Ten scales from the location both sigmoids are 1 in float32, and their difference would be 0."""
    layer = DiscretizedLogisticMixture(components=1, levels=256)
    pixel = np.float32(255 - 20) / 255  # not an edge
    for loc, log_scale in ((-1.0, -3.0), (-1.0, 6.0), (0.9, -7.0), (3.0, -5.0), (50.0, 0.0)):
        scale, y = np.exp(log_scale), 2.0 * float(pixel) - 1
        far = -np.abs(y - loc) / scale  # the mirror image, where the difference has its digits in double precision
        upper, lower = far + 1 / 255 / scale, far - 1 / 255 / scale
        expected = np.log(scipy.special.expit(upper) - scipy.special.expit(lower))
        parameters = tf.constant(mixture_parameters([0], [[loc]], [[log_scale]]))
        got = float(layer.distribution(parameters).log_prob(pixel[None, None, None, None])[0])
        assert got == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("levels", [2, 17, 256, 65536])
def test_the_narrowest_component_gives_nearly_all_to_one_level(levels):
    layer = DiscretizedLogisticMixture(components=1, levels=levels)
    middle = (levels // 2) / (levels - 1)
    parameters = tf.constant(mixture_parameters([0], [[2 * middle - 1]], [[-100]]))
    probability = float(np.exp(layer.distribution(parameters).log_prob(np.full((1, 1, 1, 1), middle, np.float32)))[0])
    assert probability == pytest.approx(0.9866 if levels == 2 else 0.9732, abs=2e-3)


# Means and draws.


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", EVERY)
def test_draws_have_the_mean_given(name, channels):
    layer = built(name)
    parameters = 0.5 * numbers(2, 1, 2, layer.parameters_for(channels))
    if name.startswith("normal"):
        parameters = parameters * 0.1 + 0.5
    if name == "discretized_logistic_mixture":  # two narrow components away from the ends, each a colour
        locs, scales, coefficients = [[-0.4, 0.1]] * channels, [[-2.5, -3.0]] * channels, [[0.3, -0.2]] * 3
        one = mixture_parameters([0.5, -0.5], locs, scales, coefficients if channels == 3 else ())
        parameters = np.tile(one, (2, 1, 2, 1))
    distribution = layer.distribution(tf.constant(parameters))
    draws = draw(distribution, 3, [DRAWS]).numpy()
    assert draws.shape == (DRAWS, 2, 1, 2, channels)
    error = draws.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(draws.mean(axis=0) - layer.mean(tf.constant(parameters))) < 4.5 * error + 1e-5).all()
    if layer.discrete and name != "bernoulli":
        np.testing.assert_allclose(draws * 16, np.rint(draws * 16), atol=1e-5)
        assert 0 <= draws.min() <= draws.max() <= 1


def test_draws_of_a_mixture_have_its_joint_probabilities():
    layer, levels = DiscretizedLogisticMixture(components=2, levels=3), 3
    parameters = tf.constant(numbers(1, 1, layer.parameters_for(3), seed=5))
    colours = np.array(list(itertools.product(range(levels), repeat=3)), np.float32) / 2
    distribution = layer.distribution(parameters)
    expected = np.exp(distribution.log_prob(colours[:, None, None]).numpy().astype(np.float64))
    draws = np.rint(draw(distribution, 0, [DRAWS]).numpy().reshape(DRAWS, 3) * 2).astype(int)
    counts = np.bincount(draws @ [9, 3, 1], minlength=27)
    assert scipy.stats.chisquare(counts, DRAWS * expected / expected.sum()).pvalue > 1e-3


@pytest.mark.parametrize("loc, log_scale", [(-3.0, -1.0), (0.1234, -7.0), (0.6, 0.0), (0.2, 5.0), (1e8, -1.0)])
def test_the_mean_of_a_mixture_is_within_half_a_level_of_the_sum_over_levels(loc, log_scale):
    layer = DiscretizedLogisticMixture(components=1, levels=256)
    parameters = tf.constant(mixture_parameters([0], [[loc]], [[log_scale]]))
    levels = np.arange(256, dtype=np.float32) / 255
    probabilities = np.exp(layer.distribution(parameters).log_prob(levels[:, None, None, None]))
    difference = float(layer.mean(parameters)[0, 0, 0, 0]) - (probabilities * levels).sum()
    assert abs(difference) < (1e-4 if log_scale > -5 else 0.5 / 255)


@pytest.mark.parametrize("logit", [-1e6, -20.0, -1.0, -2e-4, 0.0, 1e-6, 9e-4, 1.1e-3, 0.5, 6.0, 60.0])
def test_draws_of_the_continuous_bernoulli_follow_its_distribution_function(logit):
    distribution = tfd.ContinuousBernoulli(logits=tf.constant([logit]))
    draws = draw(distribution, 1, [DRAWS]).numpy()[:, 0].astype(np.float64)
    assert 0 <= draws.min() <= draws.max() <= 1

    def cdf(values):
        return values if logit == 0 else np.expm1(logit * values) / np.expm1(logit)

    with np.errstate(over="ignore"):
        assert scipy.stats.kstest(draws, cdf).pvalue > 1e-3
    with tf.GradientTape() as tape:
        logits = tf.Variable([logit])
        value = draw(tfd.ContinuousBernoulli(logits=logits), 1, [100])
    gradient = tape.gradient(value, logits).numpy()
    assert np.isfinite(gradient).all()
    assert gradient[0] > 0 or abs(logit) > 100
    if abs(logit) < 1e-3:  # d x / d logit is u (1 - u) / 2 at 0, where x = u
        assert gradient[0] == pytest.approx((value * (1 - value) / 2).numpy().sum(), rel=1e-3)


@pytest.mark.parametrize("name", EVERY)
def test_cooler_draws_keep_nearer_to_the_mode(name):
    layer = built(name)
    if name == "discretized_logistic_mixture":
        parameters = tf.constant(mixture_parameters([0, -50], [[0, 0]], [[-2, -2]]))
    else:
        parameters = tf.constant(np.abs(numbers(1, 1, 1, layer.parameters_for(1))))
    spreads = [draw(layer.distribution(parameters), 0, [2000], t).numpy().std() for t in (1.0, 0.5, 0.01)]
    assert spreads[0] > spreads[1] > spreads[2]


# Checks of the data.


def test_images_on_levels_pass_the_check():
    pixels = np.random.default_rng(0).integers(0, 256, (1200, 4, 4, 1)).astype(np.uint8)
    sixteenths = np.random.default_rng(0).integers(0, 17, (9, 4, 4, 1))
    for kind in (Categorical, DiscretizedLogisticMixture):
        for images in (pixels.astype(np.float32) / 255, pixels * np.float32(1 / 255), np.float32(pixels / 255)):
            kind().check(images)
        kind(levels=17).check((sixteenths / 16).astype(np.float32))
        kind().check(np.float32(pixels > 127))
        kind(levels=65536).check((np.arange(65536).reshape(-1, 1, 1, 1) / 65535).astype(np.float32))


@pytest.mark.parametrize("kind", [Categorical, DiscretizedLogisticMixture])
def test_images_off_the_levels_are_refused_with_a_likelihood_that_fits(kind):
    generator, name = np.random.default_rng(0), kind.__name__
    sixteenths = (generator.integers(0, 17, (9, 4, 4, 1)) / 16).astype(np.float32)
    with pytest.raises(zoo.ZooError, match=rf"multiples of 1/255\. .*multiples of 1/16: use {name}\(levels=17\)"):
        kind().check(sixteenths)
    by_256 = (np.arange(256) / 256).astype(np.float32).reshape(4, 8, 8, 1)
    with pytest.raises(zoo.ZooError, match=rf"use {name}\(levels=257\)"):
        kind().check(by_256)
    late = np.zeros((1500, 2, 2, 1), np.float32)
    late[1400, 1, 1, 0], late[1401, 0, 0, 0] = 0.123456, np.sqrt(0.5)
    with pytest.raises(zoo.ZooError, match=r"such as 0\.123456, .*Normal\(\) or ContinuousBernoulli\(\)"):
        kind().check(late)


def test_bernoulli_refuses_grey_pixels_unless_it_makes_them_binary():
    grey = np.full((2, 3, 3, 1), 0.3, np.float32)
    with pytest.raises(zoo.ZooError, match=r"such as 0\.3, .*binarize='sample'.*ContinuousBernoulli"):
        Bernoulli("none").check(grey)
    Bernoulli("none").check(np.float32(grey > 0.2))
    for layer in (Bernoulli("sample"), Bernoulli("threshold"), ContinuousBernoulli(), Normal()):
        layer.check(grey)


def test_targets_are_on_levels():
    images = np.random.default_rng(0).random((3, 4, 4, 1), np.float32)
    targets = Categorical(levels=5).targets(tf.constant(images), 0).numpy()
    np.testing.assert_array_equal(targets, np.rint(images * 4) / 4)


def test_one_scale_for_all_stays_float32_inside_a_model_of_mixed_precision():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        assert tiny_vae("normal")(np.zeros((1, 3, 2, 3), np.float32)).dtype == tf.float32
    finally:
        keras.config.set_dtype_policy(before)


def test_bad_arguments_are_refused():
    for make, message in (
        (lambda: Categorical(levels=1), "levels is"),
        (lambda: DiscretizedLogisticMixture(levels=256.0), "levels is"),
        (lambda: DiscretizedLogisticMixture(components=0), "components is"),
        (lambda: Normal(learned=True, per_pixel=True), "choose one"),
        (lambda: Normal(scale=1e-4, per_pixel=True), "cannot start at 0.0001"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            make()


# In a model.


def tiny_vae(name: str, seed: int = 0) -> zoo.VAE:
    keras.utils.set_random_seed(seed)
    layer = EVERY[name]()
    decoder = mlp_decoder(2, (3, 2, layer.parameters_for(3)), (8,))
    return zoo.VAE(mlp_encoder((3, 2, 3), (8,)), decoder, likelihood=layer, seed=seed)


def test_names_make_the_layers():
    assert {kind().describes for kind in LIKELIHOODS.values()}
    assert set(LIKELIHOODS) == set(EVERY) - {"normal_per_pixel"}
    for name, kind in LIKELIHOODS.items():
        decoder = mlp_decoder(2, (3, 2, kind().parameters_for(3)), (8,))
        assert type(zoo.VAE(mlp_encoder((3, 2, 3), (8,)), decoder, likelihood=name).likelihood_layer) is kind
    with pytest.raises(zoo.ZooError, match=r"DiscretizedLogisticMixture for images \[3, 2, 3\] needs \[3, 2, 50\]"):
        zoo.VAE(
            mlp_encoder((3, 2, 3), (8,)), mlp_decoder(2, (3, 2, 3), (8,)), likelihood="discretized_logistic_mixture"
        )


def test_configs_from_before_scales_per_pixel_load():
    config = Normal(scale=0.3).get_config()
    del config["per_pixel"]
    assert Normal.from_config(config).per_pixel is False


@pytest.mark.parametrize("policy, jit_compile", [("float32", True), ("mixed_bfloat16", False)])
@pytest.mark.parametrize("name", NEW)
def test_training_raises_the_bound(name, policy, jit_compile):
    before = keras.config.dtype_policy()
    images = np.random.default_rng(0).choice(np.float32([0.125, 0.25]), (64, 1, 1, 1)) * np.ones((3, 2, 3), np.float32)
    try:
        keras.config.set_dtype_policy(policy)
        model = tiny_vae(name)
        model.compile(keras.optimizers.Adam(0.02), jit_compile=jit_compile)
        elbo = model.fit(images, batch_size=16, epochs=8, verbose=0).history["elbo"]
        assert elbo[-1] > elbo[0] + 1
        assert model(images[:2]).dtype == tf.float32
        assert model.objective(tf.constant(images), tf.constant(0, tf.int64), True)["loss"].dtype == tf.float32
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("name", NEW)
def test_every_signature_is_exported_at_parity(name, tmp_path):
    manifest = export.save(tiny_vae(name), tmp_path / "bundle")
    assert set(manifest["parity"]) == {"encode", "decode", "reconstruct", "sample", "elbo"}
    for differences in manifest["parity"].values():
        assert set(differences) == {"saved_model", "onnx"}


def test_draws_are_the_same_in_onnx():
    layers = {name: built(name) for name in NEW}
    tensors = {name: tf.Variable(numbers(4, 3, 2, layer.parameters_for(3))) for name, layer in layers.items()}

    def function(seed):
        return {name: draw(layer.distribution(tensors[name] + 0), seed) for name, layer in layers.items()}

    outputs = tuple(NamedTensor(name, (4, 3, 2, 3)) for name in NEW)
    session = open_session(onnx.convert(Signature("x", function, (SEED,), outputs)).SerializeToString(), "x")
    for seed in (0, 123456789):
        expected = function(tf.constant(seed, tf.int64))
        got = session.run(list(NEW), {"seed": np.array(seed, np.int64)})
        for name, value in zip(NEW, got, strict=True):
            np.testing.assert_allclose(value, expected[name], atol=1e-5, err_msg=name)
