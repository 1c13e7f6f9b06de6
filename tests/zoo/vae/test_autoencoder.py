"""The autoencoder: its objective against closed forms, its corruptions, and the density over its codes."""

import warnings

import keras
import numpy as np
import pytest
import scipy.stats
import sklearn.mixture
import tensorflow as tf

import export
import zoo
from zoo.networks import mlp_decoder, mlp_encoder
from zoo.vae.autoencoder import Autoencoder
from zoo.vae.corruptions import CORRUPTIONS
from zoo.vae.likelihoods import Bernoulli, Normal
from zoo.vae.priors import CouplingFlow, GaussianMixture, StandardNormal, VampPrior

SHAPE, LATENTS, SCALE = (3, 2, 1), 2, 0.4


def linear(**arguments) -> Autoencoder:
    """An autoencoder without hidden layers, with random weights."""
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten()])
    decoder = keras.Sequential([keras.Input((LATENTS,)), keras.layers.Dense(6), keras.layers.Reshape(SHAPE)])
    model = Autoencoder(encoder, decoder, **{"likelihood": Normal(scale=SCALE), "seed": 0, **arguments})
    generator = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(generator.normal(0, 0.3, weight.shape))
    return model


def images(count: int = 40) -> np.ndarray:
    return np.random.default_rng(1).random((count, *SHAPE), np.float32)


@pytest.fixture(scope="module")
def fitted(digits):
    """An autoencoder of digits with a mixture over its codes; tests do not change it."""
    keras.utils.set_random_seed(0)
    model = Autoencoder(mlp_encoder((8, 8, 1), (32,)), mlp_decoder(4, (8, 8, 1), (32,)), seed=0)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(digits[:1000], batch_size=50, epochs=6, verbose=0)
    model.fit_latent_density(digits[:1000], seed=1)
    return model


def test_the_objective_is_the_likelihood_and_the_penalty():
    model, batch = linear(sparsity=0.7), images()
    (kernel, bias), (to_pixels, shift) = model._linear.get_weights(), model.decoder.get_weights()
    codes = batch.reshape(40, 6) @ kernel + bias
    exact = scipy.stats.norm(codes @ to_pixels + shift, SCALE).logpdf(batch.reshape(40, 6)).sum(axis=1)
    values = model.objective(tf.constant(batch), 0, training=True)
    np.testing.assert_allclose(values["reconstruction"], exact, rtol=1e-4)
    relative = np.abs(codes) / np.sqrt((codes**2).mean(axis=0))
    np.testing.assert_allclose(values["sparsity"], 0.7 * relative.sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(values["loss"], values["sparsity"] - values["reconstruction"], rtol=1e-6)
    np.testing.assert_allclose(model.encode(batch), codes, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.decode(codes), model.reconstruct(batch), atol=1e-6)


def test_corruptions():
    batch = np.full((5000, *SHAPE), 0.3, np.float32)
    noisy = {name: corrupt(tf.constant(batch), 0.25, 7).numpy().ravel() for name, corrupt in CORRUPTIONS.items()}
    error = 4.5 / np.sqrt(batch.size)
    assert abs(noisy["gaussian"].mean() - 0.3) < 0.25 * error
    assert noisy["gaussian"].std() == pytest.approx(0.25, abs=0.25 * error)
    assert set(np.unique(noisy["masking"]).round(3)) == {0, np.float32(0.3)}
    assert abs((noisy["masking"] == 0).mean() - 0.25) < 0.5 * error
    for value, share in ((0, 0.125), (1, 0.125), (np.float32(0.3), 0.75)):
        assert abs((noisy["salt_and_pepper"] == value).mean() - share) < 0.5 * error


def test_corruption_reaches_the_encoder_alone():
    clean, model, batch = linear(), linear(corruption="gaussian", corruption_level=0.5), images()
    values = [model.objective(tf.constant(batch), seed, True)["reconstruction"].numpy() for seed in (0, 0, 1)]
    assert np.array_equal(values[0], values[1])
    assert not np.array_equal(values[0], values[2])
    np.testing.assert_array_equal(model.encode(batch), clean.encode(batch))
    one = tf.function(lambda seed: model.objective(tf.constant(batch), seed, True)["reconstruction"], autograph=False)
    draws = [one(tf.constant(seed, tf.int64)).numpy() for seed in range(300)]
    # E |x - W'(W (x + noise) + b) - c|^2 grows by level^2 |W W'|^2, which the log-density halves and scales.
    product = model._linear.get_weights()[0] @ model.decoder.get_weights()[0]
    exact = clean.objective(tf.constant(batch), 0, True)["reconstruction"] - 0.5 * 0.25 * (product**2).sum() / SCALE**2
    error = np.std(draws, axis=0) / np.sqrt(len(draws))
    assert (np.abs(np.mean(draws, axis=0) - exact) < 4.5 * error).all()


def test_the_encoder_sees_what_is_scored():
    """Binary images, where the likelihood makes them binary."""
    model, batch = linear(likelihood=Bernoulli("threshold")), images()
    binary = (batch > 0.5).astype(np.float32)
    expected = model.likelihood(tf.constant(model.encode(binary))).log_prob(binary)
    given = model.objective(tf.constant(batch), 0, training=True)["reconstruction"]
    np.testing.assert_allclose(given, expected, rtol=1e-5)


def test_denoising_learns_to_denoise(digits):
    keras.utils.set_random_seed(0)
    encoder, decoder = mlp_encoder((8, 8, 1), (64,)), mlp_decoder(16, (8, 8, 1), (64,))
    model = Autoencoder(encoder, decoder, Normal(0.3), "salt_and_pepper", 0.2, seed=0)
    model.compile(keras.optimizers.Adam(3e-3))
    history = model.fit(digits[:1500], batch_size=50, epochs=10, validation_data=digits[1500:], verbose=0).history
    assert set(history) == {f"{part}{name}" for part in ("", "val_") for name in model.objective_names}
    noisy = CORRUPTIONS["salt_and_pepper"](tf.constant(digits[1500:]), 0.2, 3).numpy()
    before, after = (((given - digits[1500:]) ** 2).mean() for given in (noisy, model.reconstruct(noisy)))
    assert after < 0.6 * before


def test_sparsity_makes_codes_sparse_and_not_just_small(digits):
    """Measured by what no scale changes: the share of a latent's values below a tenth of its root mean square."""
    shares = []
    for sparsity in (0.0, 10.0):
        keras.utils.set_random_seed(0)
        encoder, decoder = mlp_encoder((8, 8, 1), (32,)), mlp_decoder(8, (8, 8, 1), (32,))
        model = Autoencoder(encoder, decoder, sparsity=sparsity, seed=0)
        model.compile(keras.optimizers.Adam(5e-3))
        model.fit(digits[:1000], batch_size=50, epochs=20, verbose=0)
        codes = model.encode(digits[:1000])
        shares.append((np.abs(codes) < 0.1 * np.sqrt((codes**2).mean(axis=0))).mean())
    assert shares[1] > 3 * shares[0]


def test_the_penalty_does_not_depend_on_the_scale_of_the_codes(digits):
    model = Autoencoder(mlp_encoder((8, 8, 1), (16,)), mlp_decoder(4, (8, 8, 1), (16,)), sparsity=1.0)
    before = model.objective(tf.constant(digits[:50]), 0, True)["sparsity"]
    model._linear.set_weights([1e-3 * weight for weight in model._linear.get_weights()])
    after = model.objective(tf.constant(digits[:50]), 0, True)["sparsity"]
    np.testing.assert_allclose(before, after, rtol=1e-3)
    assert 0.5 * 4 < np.mean(before) <= 4


def test_training_on_asks_for_a_new_density(digits):
    model = Autoencoder(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.compile("adam")
    model.fit(digits[:100], verbose=0)
    model.fit_latent_density(digits[:100])
    with pytest.raises(zoo.ZooError, match="range"):
        model.fit(digits[:100] * 2, verbose=0)
    assert model.density_is_fitted  # nothing has changed
    model.fit(digits[:100], verbose=0)
    with pytest.raises(zoo.ZooError, match=r"call fit_latent_density\(images\)"):
        model.sample(2)


def test_paths_between_codes_and_along_them(digits):
    model = Autoencoder(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(3, (8, 8, 1), (8,)))
    path = model.interpolate(digits[:2], digits[2:4], steps=3)
    np.testing.assert_allclose(path[:, 0], model.reconstruct(digits[:2]), atol=1e-5)
    middle = (model.encode(digits[:2]) + model.encode(digits[2:4])) / 2
    np.testing.assert_allclose(path[:, 1], model.decode(middle), atol=1e-5)
    moved = model.traverse(digits[0], [1], extent=2.0, steps=3)
    codes = np.repeat(model.encode(digits[:1]), 3, axis=0)
    codes[:, 1] = [-2, 0, 2]
    np.testing.assert_allclose(moved[0], model.decode(codes), atol=1e-5)


def test_codes_of_images_that_a_likelihood_cuts_are_those_of_the_cut_ones(digits):
    encoder, decoder = mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,))
    for likelihood, agree in ((Bernoulli("threshold"), True), (Bernoulli("sample"), False)):
        model = Autoencoder(encoder, decoder, likelihood)
        cut = (digits[:9] > 0.5).astype(np.float32)
        assert np.allclose(model.encode(digits[:9]), model.encode(cut), atol=1e-6) == agree


def test_before_the_density_is_fitted_there_are_no_samples(digits):
    model = Autoencoder(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    assert set(model.signatures()) == {"encode", "decode", "reconstruct"}
    for use in (lambda: model.sample(2), lambda: model.run("sample", n=1, seed=0), model.latent_density):
        with pytest.raises(zoo.ZooError, match=r"call fit_latent_density\(images\)"):
            use()
    model.fit_latent_density(digits[:100])
    assert set(model.signatures()) == {"encode", "decode", "reconstruct", "sample"}
    assert model.sample(2).shape == (2, 8, 8, 1)


def test_the_mixture_is_that_of_scikit_learn():
    model, batch = linear(density=GaussianMixture(LATENTS, components=3)), images(200)
    given = model.fit_latent_density(batch, seed=5)
    codes = model.encode(batch).astype(np.float64)
    standardized = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    theirs = sklearn.mixture.GaussianMixture(3, covariance_type="diag", random_state=5).fit(standardized)
    expected = theirs.score(standardized) - np.log(codes.std(axis=0)).sum()
    assert given == pytest.approx(expected, abs=1e-3)
    assert given == pytest.approx(float(tf.reduce_mean(model.latent_density().log_prob(codes))), abs=1e-5)


def test_samples_follow_the_density(fitted, digits):
    """Codes of samples have the moments of the codes of images, which a mixture keeps."""
    binary = fitted.likelihood_layer.targets(tf.constant(digits[:1000]), zoo.random.fold_in(1, 0)).numpy()
    codes, drawn = fitted.encode(binary), zoo.sampling.draw(fitted.latent_density(), 0, [20_000]).numpy()
    error = drawn.std(axis=0) / np.sqrt(20_000)
    assert (np.abs(drawn.mean(axis=0) - codes.mean(axis=0)) < 4.5 * error + 1e-3).all()
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(codes.T), atol=0.05 * np.trace(np.cov(codes.T)))


def test_samples_depend_on_the_seed_alone_and_narrow_with_the_temperature(fitted):
    many = fitted.sample(300, seed=3)
    np.testing.assert_allclose(many[:7], fitted.sample(7, seed=3), atol=1e-6)
    np.testing.assert_allclose(many[:5], fitted.run("sample", n=5, seed=3)["image"], atol=1e-6)
    assert not np.array_equal(many[:7], fitted.sample(7, seed=4))
    cold = fitted.sample(5, seed=3, temperature=0.01)
    np.testing.assert_allclose(cold, fitted.run("sample", n=5, seed=3, temperature=0.01)["image"], atol=1e-6)
    assert np.abs(cold - many[:5]).max() > 0.01
    for arguments, message in (
        ({"n": 0}, "n is 0"),
        ({"n": 1, "seed": -1}, "seed is -1"),
        ({"n": 1, "label": 3}, "takes no label"),
        ({"n": 1, "temperature": 0.0}, "temperature is 0.0"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            fitted.sample(**arguments)


@pytest.mark.parametrize("made", [lambda: "flow", lambda: CouplingFlow(LATENTS)], ids=["autoregressive", "coupling"])
def test_a_flow_fits_better_than_one_normal(made):
    """Codes on two sides of a gap, which no Normal leaves empty."""
    keras.utils.set_random_seed(0)  # of the weights that a flow starts with
    generator = np.random.default_rng(0)
    side = generator.integers(0, 2, 600)
    batch = np.clip(0.2 + 0.6 * side[:, None] + generator.normal(0, 0.05, (600, 6)), 0, 1).astype(np.float32)
    batch = batch.reshape(600, *SHAPE)
    model = linear(density=made())
    before = model.trainable_variables[0].numpy()
    one_normal = linear(density=GaussianMixture(LATENTS, components=1, covariance="full")).fit_latent_density(batch)
    flow = model.fit_latent_density(batch, epochs=30, batch_size=100, learning_rate=3e-3)
    assert flow > one_normal + 0.2
    np.testing.assert_array_equal(model.trainable_variables[0], before)
    assert not model.density_layer.trainable
    again = linear(density=type(model.density_layer).from_config(model.density_layer.get_config()))
    again.density_layer.set_weights([np.zeros(weight.shape) for weight in again.density_layer.weights])
    assert again.fit_latent_density(batch, epochs=1) < flow


def test_what_the_density_is_fitted_to_and_with_decides_it():
    values = []
    for seed in (0, 0, 1):
        model = linear(density="flow")
        keras.utils.set_random_seed(len(values))  # of no effect
        model.density_layer.set_weights([np.full(weight.shape, 0.1) for weight in model.density_layer.weights])
        values.append(model.fit_latent_density(images(60), seed=seed, epochs=2, batch_size=10))
    assert values[0] == values[1] != values[2]


def test_a_mixture_that_has_not_converged_says_so():
    with pytest.warns(UserWarning, match=r"mixture of 10 Normals has not converged after 1 iterations.*Raise epochs"):
        linear().fit_latent_density(images(200), epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        linear(density=StandardNormal(LATENTS)).fit_latent_density(images(200))


def test_a_code_that_never_varies_is_no_obstacle():
    model = linear()
    kernel, bias = model._linear.get_weights()
    kernel[:, 1], bias[1] = 0, 3.0
    model._linear.set_weights([kernel, bias])
    assert np.isfinite(model.fit_latent_density(images(100)))
    assert zoo.sampling.draw(model.latent_density(), 0, [50]).numpy()[:, 1] == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize("density", ["gaussian_mixture", pytest.param("flow", marks=pytest.mark.slow)])
def test_it_trains_in_low_precision_saves_and_exports(density, digits, tmp_path):
    keras.utils.set_random_seed(0)
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        encoder, decoder = mlp_encoder((8, 8, 1), (8,)), mlp_decoder(3, (8, 8, 1), (8,))
        model = Autoencoder(encoder, decoder, Bernoulli("threshold"), "masking", 0.3, 0.1, density, seed=3)
    finally:
        keras.config.set_dtype_policy(before)
    model.compile("adam", jit_compile=True)
    history = model.fit(digits[:64], batch_size=16, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    model.fit_latent_density(digits[:64], epochs=20)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    options = ("corruption", "corruption_level", "sparsity", "seed")
    assert [getattr(again, name) for name in options] == ["masking", 0.3, 0.1, 3]
    assert again.density_is_fitted
    np.testing.assert_array_equal(again.sample(4), model.sample(4))
    assert len(again.trainable_variables) == len(model.trainable_variables) == 8
    assert int(again.optimizer.iterations) == 4
    kept = again.density_layer.get_weights()
    again.fit(digits[:64], batch_size=16, epochs=1, verbose=0)
    for one, other in zip(again.density_layer.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(one, other)
    manifest = export.save(model, tmp_path / "bundle")  # raises where a format differs
    assert set(manifest["signatures"]) == {"encode", "decode", "reconstruct", "sample"}


def test_parts_that_do_not_fit_are_refused(digits):
    encoder, decoder = mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,))
    for arguments, message in (
        ({"corruption": "masked"}, "unknown corruption 'masked'.*Did you mean 'masking'"),
        ({"corruption": "masking", "corruption_level": 1.5}, "corruption_level is 1.5"),
        ({"corruption_level": -1.0}, "corruption_level is -1.0"),
        ({"sparsity": -0.1}, "sparsity is -0.1"),
        ({"density": "flows"}, "unknown density 'flows'.*Did you mean 'flow'"),
        ({"density": VampPrior(2)}, "has none"),
        ({"density": StandardNormal(3)}, "latent_size 3"),
        ({"likelihood": "bernouli"}, "Did you mean 'bernoulli'"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            Autoencoder(encoder, decoder, **arguments)
    with pytest.raises(zoo.ZooError, match=r"decoder gives \[8, 4, 1\]"):
        Autoencoder(encoder, mlp_decoder(2, (8, 4, 1)))
    model = Autoencoder(encoder, decoder)
    with pytest.raises(zoo.ZooError, match=r"10 Normals cannot be fitted to 5 images"):
        model.fit_latent_density(digits[:5])
    with pytest.raises(zoo.ZooError, match="epochs is 0"):
        model.fit_latent_density(digits[:50], epochs=0)
    with pytest.raises(zoo.ZooError, match="expected \\[batch, 2\\]"):
        model.decode(np.zeros((1, 3)))
