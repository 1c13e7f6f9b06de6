"""The VAE against closed forms, and its training."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import zoo
from zoo.networks import mlp_decoder, mlp_encoder
from zoo.vae import likelihoods
from zoo.vae.likelihoods import Bernoulli, Normal
from zoo.vae.scales import raw_of_positive

SHAPE, LATENTS, SCALE = (3, 2, 1), 2, 0.4


@pytest.fixture(scope="module")
def linear():
    """A VAE with a linear decoder, for which log p(x) is known, and the best diagonal posterior location.

    p(x) = Normal(b, W W' + scale^2 I), and p(z|x) has the mean M^-1 W' (x - b), M = W' W + scale^2 I
    (probabilistic PCA, Tipping and Bishop 1999, equations 4 and 7).
    """
    generator = np.random.default_rng(0)
    weights, bias = generator.normal(0, 0.3, (6, LATENTS)), generator.uniform(0.3, 0.7, 6)
    model = zoo.VAE(
        keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten()]),
        keras.Sequential([keras.Input((LATENTS,)), keras.layers.Dense(6), keras.layers.Reshape(SHAPE)]),
        likelihood=Normal(scale=SCALE),
    )
    model.decoder.set_weights([weights.T, bias])
    precision = weights.T @ weights + SCALE**2 * np.eye(LATENTS)
    to_loc = np.linalg.solve(precision, weights.T)
    spread = np.sqrt(1 / np.diag(precision / SCALE**2))
    raw_scale = raw_of_positive(spread)
    kernel = np.concatenate([to_loc.T, np.zeros((6, LATENTS))], axis=1)
    model.posterior_layer.set_weights([kernel, np.concatenate([-to_loc @ bias, raw_scale])])
    images = generator.uniform(0, 1, (40, *SHAPE)).astype(np.float32)
    covariance = weights @ weights.T + SCALE**2 * np.eye(6)
    exact = scipy.stats.multivariate_normal(bias, covariance).logpdf(images.reshape(40, 6))
    posterior_covariance = SCALE**2 * np.linalg.inv(precision)
    return model, images, exact, posterior_covariance


def test_importance_weighted_estimate_reaches_the_exact_likelihood(linear):
    model, images, exact, _ = linear
    estimate = model.log_likelihood(images, num_samples=4000)
    np.testing.assert_allclose(estimate.per_image, exact, atol=0.05)
    assert estimate.mean == pytest.approx(exact.mean(), abs=0.003)
    assert estimate.standard_error == pytest.approx(exact.std(ddof=1) / np.sqrt(40), rel=0.02)


def test_importance_weighted_bounds_rise_with_the_draws_and_stay_below(linear):
    model, images, exact, _ = linear
    many = np.concatenate([images] * 50)
    means = [model.log_likelihood(many, num_samples=draws).mean for draws in (1, 3, 30)]
    assert means[0] < means[1] < means[2] < exact.mean() + 0.002


def test_elbo_is_the_likelihood_less_the_divergence_of_the_posterior(linear):
    """log p(x) - elbo = KL(q || p(z|x)), in closed form for two Normals of one mean."""
    model, images, exact, covariance = linear
    diagonal = 1 / np.diag(np.linalg.inv(covariance))
    gap = 0.5 * (np.log(np.linalg.det(covariance)) - np.log(diagonal).sum())
    elbo = tf.function(lambda seed: model.elbo(tf.constant(images), seed)["elbo"], autograph=False)
    draws = np.stack([elbo(tf.constant(seed, tf.int64)).numpy() for seed in range(2000)])
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - (exact - gap)) < 4.5 * error + 1e-4).all()


def test_kl_in_closed_form_agrees_with_monte_carlo(linear):
    model, images, *_ = linear
    closed = model.elbo(tf.constant(images), 0)["kl"].numpy()
    posterior, prior = model.posterior(images), model.prior()
    latents = posterior.sample(200_000, seed=1)
    ratios = (posterior.log_prob(latents) - prior.log_prob(latents)).numpy()
    error = ratios.std(axis=0) / np.sqrt(len(ratios))
    assert (np.abs(ratios.mean(axis=0) - closed) < 4.5 * error).all()


def test_a_trained_linear_model_reaches_probabilistic_pca():
    """The best likelihood of any linear model with Normal noise is known in closed form: Tipping and Bishop (1999),
    equations 7 and 8. Training the elbo gets there, since the posterior of a linear model can be exact."""
    generator = np.random.default_rng(0)
    mixing = np.linalg.qr(generator.normal(size=(6, 6)))[0][:, :LATENTS] * [0.12, 0.07]
    noise = generator.normal(0, 0.04, (2000, 6))
    flat = np.clip(0.5 + generator.normal(size=(2000, LATENTS)) @ mixing.T + noise, 0, 1).astype(np.float32)
    values, vectors = np.linalg.eigh(np.cov(flat.T, bias=True))
    rest = values[: 6 - LATENTS].mean()
    weights = vectors[:, 6 - LATENTS :] * np.sqrt(values[6 - LATENTS :] - rest)
    best = _linear_likelihood(flat, flat.mean(axis=0), weights, rest)

    keras.utils.set_random_seed(0)
    dense, unit = keras.layers.Dense(6), 0.1  # affine all the same, but with weights near 1
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Rescaling(1 / unit, -0.5 / unit)])
    decoder = [dense, keras.layers.Rescaling(unit, 0.5), keras.layers.Reshape(SHAPE)]
    # A scale below what there is to explain, else the latents collapse at first (Lucas et al. 2019).
    likelihood = Normal(scale=0.03, learned=True)
    model = zoo.VAE(encoder, keras.Sequential([keras.Input((LATENTS,)), *decoder]), likelihood=likelihood, seed=0)
    schedule = keras.optimizers.schedules.CosineDecay(0.03, 100 * 20, alpha=0.01)
    model.compile(keras.optimizers.Adam(schedule), jit_compile=True)
    model.fit(flat.reshape(-1, *SHAPE), batch_size=100, epochs=100, verbose=0)
    kernel, bias = (unit * weight for weight in dense.get_weights())
    scale = 0.001 + float(np.exp(model.likelihood_layer.get_weights()[0]))
    reached = _linear_likelihood(flat, bias + 0.5, kernel.T, scale**2)
    assert best - 0.002 < reached < best + 1e-6


def _linear_likelihood(flat: np.ndarray, mean: np.ndarray, weights: np.ndarray, variance: float) -> float:
    covariance = weights @ weights.T + variance * np.eye(len(mean))
    return float(scipy.stats.multivariate_normal(mean, covariance).logpdf(flat).mean())


def test_draws_in_chunks_are_all_used(linear, monkeypatch):
    model, images, exact, _ = linear
    monkeypatch.setattr("zoo.metrics.likelihood._DRAWS_AT_ONCE", 7)
    monkeypatch.setattr("zoo.metrics.likelihood._IMAGES_AT_ONCE", 11)
    np.testing.assert_allclose(model.log_likelihood(images, 2000).per_image, exact, atol=0.03)


def test_likelihood_over_all_binary_images_sums_to_one():
    """The estimate is one of a normalized distribution: sum over the 2^4 images of E[p(x)] = 1."""
    keras.utils.set_random_seed(0)
    shape = (2, 2, 1)
    model = zoo.VAE(mlp_encoder(shape, (8,)), mlp_decoder(2, shape, (8,)))
    every = np.array([[(index >> bit) & 1 for bit in range(4)] for index in range(16)], np.float32).reshape(-1, *shape)
    assert np.exp(model.log_likelihood(every, 20_000).per_image).sum() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("binarize, expected", [("sample", {0, 1}), ("threshold", {0, 1}), ("none", {0.2, 0.9})])
def test_binarization(binarize, expected):
    images = np.where(np.random.default_rng(0).random((500, 4, 4, 1)) < 0.5, 0.2, 0.9).astype(np.float32)
    targets = Bernoulli(binarize).targets(tf.constant(images), 5).numpy()
    assert set(np.unique(targets.round(6).astype(float)).round(6)) == expected
    again = Bernoulli(binarize).targets(tf.constant(images), 6).numpy()
    assert np.array_equal(targets, again) == (binarize != "sample")
    if binarize == "sample":
        error = np.sqrt(0.2 * 0.8 / (images == np.float32(0.2)).sum())
        assert abs(targets[images == np.float32(0.2)].mean() - 0.2) < 4.5 * error


def test_training_raises_the_bound(digits):
    keras.utils.set_random_seed(1)
    model = zoo.VAE(mlp_encoder((8, 8, 1), (64,)), mlp_decoder(8, (8, 8, 1), (64,)))
    model.compile(keras.optimizers.Adam(3e-3))
    history = model.fit(digits[:1500], batch_size=100, epochs=15, validation_data=digits[1500:], verbose=0).history
    assert set(history) == {f"{part}{name}" for part in ("", "val_") for name in model.objective_names}
    assert history["val_elbo"][-1] > -28  # independent pixels with the right means reach -32.4
    np.testing.assert_allclose(history["elbo"], np.subtract(history["reconstruction"], history["kl"]), rtol=1e-4)
    np.testing.assert_allclose(history["loss"], np.negative(history["elbo"]), rtol=1e-6)
    assert np.abs(model.reconstruct(digits[1500:]) - digits[1500:]).mean() < 0.17


def test_fit_takes_datasets_targets_and_weights(digits):
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.compile("sgd")
    images = digits[:64]
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(16)
    labelled = tf.data.Dataset.from_tensor_slices((images, np.zeros(64))).batch(16)
    for source in ((dataset,), (labelled,), (images, images)):
        model.fit(*source, epochs=1, verbose=0, validation_data=dataset)
    model.fit(images, epochs=1, verbose=0, sample_weight=np.ones(64), validation_data=(images, images))
    assert set(model.evaluate(dataset, verbose=0, return_dict=True)) == set(model.objective_names)
    assert model.predict(images, verbose=0).shape == images.shape


class Quadratic(zoo.GenerativeModel):
    """loss(x) = w^2 sum(x), whose gradient at w = 1 is 2 sum(x)."""

    image_shape = (2, 2, 1)

    def __init__(self):
        super().__init__(seed=0)
        self.weight = self.add_weight(shape=(), initializer="ones", regularizer=keras.regularizers.L2(0.5))
        self.built = True

    def objective(self, images, seed, training):
        return {"loss": self.weight**2 * tf.reduce_sum(images, axis=[1, 2, 3])}


@pytest.mark.parametrize("weights", [None, np.repeat([1.0, 0.0], 4), np.arange(8.0)])
def test_sample_weights_and_regularizers_reach_the_gradient_and_the_loss(weights):
    images = np.random.default_rng(0).random((8, 2, 2, 1), np.float32)
    sums, scale = images.sum(axis=(1, 2, 3)), np.ones(8) if weights is None else weights
    model = Quadratic()
    model.compile(keras.optimizers.SGD(0.01))
    model.fit(images, sample_weight=weights, batch_size=8, verbose=0)
    gradient = (2 * sums * scale).mean() + 1.0  # the regularizer's own, which no image weighs
    assert float(model.weight) == pytest.approx(1 - 0.01 * gradient, rel=1e-5)
    model.weight.assign(1.0)
    expected = ((sums + 0.5) * scale).sum() / scale.sum()
    evaluated = model.evaluate(images, sample_weight=weights, batch_size=8, verbose=0)
    assert evaluated == pytest.approx(expected, rel=1e-5)
    history = model.fit(images, batch_size=8, verbose=0, validation_data=(images, images, scale)).history
    changed = float(model.weight) ** 2
    assert history["val_loss"][0] == pytest.approx(expected * changed, rel=1e-5)


def test_losses_that_layers_add_are_those_of_the_data_with_any_prior():
    """A VampPrior calls the encoder on its pseudo-inputs too."""
    images, added = np.random.default_rng(0).random((6, 4, 4, 1), np.float32), []
    for prior in ("standard_normal", "vamp"):
        keras.utils.set_random_seed(0)
        layers = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(5, activity_regularizer="l2")]
        model = zoo.VAE(keras.Sequential(layers), mlp_decoder(2, (4, 4, 1), (4,)), prior=prior, seed=0)
        model.objective(tf.constant(images), 1, True)
        added.append(float(sum(model.losses)))
    assert added[0] > 0
    assert added[0] == pytest.approx(added[1], rel=1e-6)


def test_steps_per_execution_and_eager_training_agree(digits):
    losses = []
    for options in ({}, {"steps_per_execution": 4}, {"run_eagerly": True}):
        keras.utils.set_random_seed(0)
        model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)), seed=0)
        model.compile(keras.optimizers.SGD(1e-3), **options)
        losses.append(model.fit(digits[:64], batch_size=8, verbose=0, shuffle=False).history["loss"][0])
    np.testing.assert_allclose(losses, losses[0], rtol=1e-4)


@pytest.mark.parametrize("damage", [np.nan, 7.0, -0.5])
@pytest.mark.parametrize("kind", ["dataset", "generator", "validation"])
@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_damaged_pixel_in_a_later_batch_stops_training(digits, damage, kind, jit_compile):
    images = digits[:64].copy()
    images[40, 3, 3, 0] = damage
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.compile(keras.optimizers.SGD(1e-4), jit_compile=jit_compile)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(16)
    what = "evaluation" if kind == "validation" else "training"
    with pytest.raises(zoo.ZooError, match=rf"{what} stopped at batch 3: .*loss is not finite.*outside \[0, 1\]"):
        if kind == "dataset":
            model.fit(dataset, verbose=0)
        elif kind == "generator":
            model.fit(((images[start : start + 16],) for start in range(0, 64, 16)), verbose=0)
        else:
            model.fit(digits[:64], validation_data=dataset, verbose=0)


def test_a_dtype_or_shape_that_cannot_be_used_is_named_for_generators_too(digits):
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.compile("sgd")
    for batch, message in (((digits[:4] * 255).astype(np.uint8), "dtype uint8"), (digits[:4, :5], "8, 8, 1")):
        with pytest.raises(zoo.ZooError, match=message):
            model.fit(((batch,) for _ in range(2)), verbose=0)


def test_a_pair_where_images_are_expected_is_refused(digits):
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.compile()
    for verb in (model.fit, model.evaluate):
        with pytest.raises(zoo.ZooError, match=rf"are a tuple.*{verb.__name__}\(images, labels\)"):
            verb((digits[:4], np.zeros(4)), verbose=0)


def test_labels_of_a_model_without_classes_are_refused(digits):
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.compile()
    for labels in (np.arange(16), np.arange(16)[:, None]):
        with pytest.raises(zoo.ZooError, match=r"labels in y are integers.*VAE is not conditional"):
            model.fit(digits[:16], labels, verbose=0)
    with pytest.raises(zoo.ZooError, match="labels in validation_data are integers"):
        model.fit(digits[:16], validation_data=(digits[:4], np.arange(4)), verbose=0)


def test_batch_sizes_are_as_in_keras(digits):
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.compile()
    model.fit(digits[:8], batch_size=None, verbose=0)
    with pytest.raises(zoo.ZooError, match="batch_size is 0, expected an integer of at least 1"):
        model.fit(digits[:8], batch_size=0, verbose=0)


def test_weights_that_weigh_nothing_sensible_are_refused(digits):
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.compile()
    good = np.ones(8, np.float32)
    for bad, message in (
        (-good, "negative or not finite"),
        (good * np.nan, "negative or not finite"),
        (good[:5], r"shape \[5\].*expected \[8\]"),
        (np.ones((8, 2)), r"shape \[8, 2\]"),
        ("a", "one weight an image"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            model.fit(digits[:8], sample_weight=bad, verbose=0)
        with pytest.raises(zoo.ZooError, match=message):
            model.evaluate(digits[:8], sample_weight=bad, verbose=0)
    model.fit(digits[:8], sample_weight=[1.0] * 8, verbose=0)
    weighted = tf.data.Dataset.from_tensor_slices((digits[:8], np.zeros(8), -good)).batch(4)
    with pytest.raises(zoo.ZooError, match="sample weights negative"):
        model.fit(weighted, verbose=0)
    with pytest.raises(zoo.ZooError, match="evaluation stopped at batch 1"):
        model.evaluate(weighted, verbose=0)


def test_a_dataset_where_an_array_is_needed_is_refused(digits, small_vae):
    with pytest.raises(zoo.ZooError, match="images are a dataset, expected an array"):
        small_vae.log_likelihood(tf.data.Dataset.from_tensor_slices(digits[:8]).batch(4))


def test_a_dataset_of_single_images_is_refused(digits):
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.compile()
    with pytest.raises(zoo.ZooError, match=r"are a dataset of single images\. Batch it"):
        model.fit(tf.data.Dataset.from_tensor_slices(digits[:8]), verbose=0)


def test_networks_say_what_they_cannot_be_made_of():
    for make, message in (
        (lambda: mlp_encoder((8, 8)), "image_shape is .*expected 3"),
        (lambda: mlp_encoder((8, 8, 1), num_classes=0), "num_classes is 0"),
        (lambda: mlp_decoder(2, (8, 8, 1), activation="elo"), "no activation 'elo'"),
        (lambda: zoo.VAE(mlp_encoder((8, 8, 1)), mlp_decoder(2, (9, 8, 1))), "Give both networks images of one size"),
        (lambda: zoo.VAE(mlp_encoder((8, 8, 1)), mlp_decoder(2, (8, 8, 2))), r"parameters_for\(1\)"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            make()


def test_both_parts_of_an_encoding_are_not_latents(small_vae, digits):
    with pytest.raises(zoo.ZooError, match=r"pass the location: encode\(images\)\.loc"):
        small_vae.decode(small_vae.encode(digits[:2]))


def test_what_is_not_used_is_refused(digits):
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    with pytest.raises(zoo.ZooError, match="leave metrics out"):
        model.compile("sgd", metrics=["mse"])
    model.compile("sgd")
    with pytest.raises(zoo.ZooError, match="class_weight"):
        model.fit(digits[:8], class_weight={0: 1.0})
    with pytest.raises(zoo.ZooError, match="no signature 'decod'"):
        model.run("decod")
    with pytest.raises(zoo.ZooError, match="takes the inputs"):
        model.run("decode", image=digits[:1])


def test_broken_weights_are_found_when_used(digits):
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.set_weights([np.full(weight.shape, np.nan) for weight in model.get_weights()])
    for use in (lambda: model.sample(2), lambda: model.encode(digits[:2]), lambda: model.log_likelihood(digits[:2], 2)):
        with pytest.raises(zoo.ZooError, match="not finite"):
            use()


def test_a_loss_that_is_not_finite_stops_training(digits):
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.compile(keras.optimizers.SGD(1e30))
    with pytest.raises(zoo.ZooError, match=r"training stopped at batch .* not finite.*lower the learning rate"):
        model.fit(digits[:64], epochs=5, batch_size=8, verbose=0)


def test_an_empty_dataset_is_refused(digits):
    model = zoo.VAE(mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,)))
    model.compile("adam")
    with pytest.raises(zoo.ZooError, match="empty dataset"):
        model.fit(tf.data.Dataset.from_tensor_slices(digits[:0]).batch(4))


def test_parts_that_do_not_fit_are_refused():
    encoder, decoder = mlp_encoder((8, 8, 1), (8,)), mlp_decoder(2, (8, 8, 1), (8,))
    for arguments, message in (
        ((encoder, mlp_decoder(2, (8, 4, 1))), r"decoder gives \[8, 4, 1\].*needs \[8, 8, 1\]"),
        ((keras.Sequential([keras.layers.Dense(2)]), decoder), "does not know its input shape"),
        (("encoder", decoder), "is a str"),
        ((mlp_encoder((8, 8, 1), (8,), num_classes=3), decoder), "encoder takes 2 inputs.*use ConditionalVAE"),
        ((encoder, encoder), r"the decoder gives \[8\]"),
        ((encoder, None), "the decoder is a NoneType, expected a keras.Model"),
        ((encoder, keras.Sequential([keras.layers.Dense(2)])), "the decoder does not know its input shape"),
        ((zoo.networks.residual_encoder((8, 8, 1), (4, 8)), decoder), "gives 2 outputs.*resolutions=0 and hidden"),
        ((encoder, keras.Model(encoder.input, decoder(encoder(encoder.input)[:, :2]))), "expected 1 known sizes"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            zoo.VAE(*arguments)
    with pytest.raises(zoo.ZooError, match=r"unknown likelihood 'bernouli'.*Did you mean 'bernoulli'"):
        zoo.VAE(encoder, decoder, likelihood="bernouli")
    for kind in (zoo.Autoencoder, zoo.VQVAE):
        with pytest.raises(zoo.ZooError, match=r"decoder takes 2 inputs.*use ConditionalVAE"):
            kind(encoder, mlp_decoder(2, (8, 8, 1), (8,), num_classes=3))
    with pytest.raises(zoo.ZooError, match="latent_size 3"):
        zoo.VAE(encoder, decoder, prior=zoo.vae.priors.StandardNormal(3))
    with pytest.raises(zoo.ZooError, match=r"latents have shape \[1, 3\], expected \[batch, 2\]"):
        zoo.VAE(encoder, decoder).decode(np.zeros((1, 3)))


def test_encode_and_decode_compose_to_reconstruct(small_vae, digits):
    loc, scale = small_vae.encode(digits[:300])
    assert loc.shape == scale.shape == (300, 4)
    assert (scale > 0).all()
    np.testing.assert_allclose(small_vae.decode(loc), small_vae.reconstruct(digits[:300]), atol=1e-6)


def test_training_noise_differs_between_steps():
    model = zoo.VAE(mlp_encoder((4, 4, 1), (8,)), mlp_decoder(2, (4, 4, 1), (8,)), seed=0)
    seeds = {int(model._step_seed(tf.constant(step), purpose)) for step in range(20) for purpose in (0, 1)}
    assert len(seeds) == 40


def test_a_posterior_without_a_fast_density_and_a_vamp_prior_are_refused():
    with pytest.raises(zoo.ZooError, match=r"no fast density.*diagonal_normal"):
        zoo.VAE(mlp_encoder(SHAPE), mlp_decoder(2, SHAPE), posterior="inverse_autoregressive_flow", prior="vamp")


def test_the_bound_is_of_images_that_the_likelihood_is_one_of(digits):
    model = zoo.VAE(
        mlp_encoder((8, 8, 1), (4,)), mlp_decoder(2, (8, 8, 1), (4,)), likelihood=likelihoods.Bernoulli("none")
    )
    with pytest.raises(zoo.ZooError, match="likelihood of 0 and 1 alone"):
        model.run("elbo", image=digits[:2], seed=0)


def test_residual_networks_make_a_vae(digits):
    encoder = zoo.networks.residual_encoder((8, 8, 1), (4,), 1, 8, resolutions=0)
    model = zoo.VAE(encoder, zoo.networks.residual_decoder(3, (8, 8, 1), (6, 4), 1))
    model.compile()
    model.fit(digits[:32], verbose=0)
    assert model.sample(2).shape == (2, 8, 8, 1)
    told = zoo.networks.residual_encoder((8, 8, 1), (4,), 1, 8, resolutions=0, num_classes=3)
    conditional = zoo.ConditionalVAE(told, zoo.networks.residual_decoder(3, (8, 8, 1), (6, 4), 1, num_classes=3))
    conditional.compile()
    conditional.fit(digits[:32], np.arange(32) % 3, verbose=0)
    assert conditional.sample(2, label=1).shape == (2, 8, 8, 1)
    for make in (
        lambda: zoo.networks.residual_encoder((8, 8, 1), (4,), 1, 8, num_classes=3),
        lambda: zoo.networks.residual_decoder((4, 4, 2), (8, 8, 1), (4,), num_classes=3),
    ):
        with pytest.raises(zoo.ZooError, match="labels are joined to"):
            make()
    with pytest.raises(zoo.ZooError, match="resolutions=0 leaves no output"):
        zoo.networks.residual_encoder((8, 8, 1), (4,), resolutions=0)


@pytest.mark.parametrize(
    "kind, options",
    [
        (zoo.VAE, {}),
        (zoo.InfoVAE, {}),
        (zoo.BetaTCVAE, {"dataset_size": 8}),
        (zoo.IWAE, {"num_samples": 2}),
        (zoo.IWAE, {"num_samples": 2, "gradient": "doubly_reparameterized"}),
    ],
)
def test_training_reaches_both_networks(kind, options):
    """Dropout is at work in training alone."""
    encoder = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dropout(0.5, seed=0)])
    layers = [
        keras.Input((2,)),
        keras.layers.Dropout(0.5, seed=0),
        keras.layers.Dense(16),
        keras.layers.Reshape((4, 4, 1)),
    ]
    plain = (mlp_encoder((4, 4, 1), (4,)), mlp_decoder(2, (4, 4, 1), (4,)))
    given = tf.constant(np.random.default_rng(0).integers(0, 2, (8, 4, 4, 1)).astype(np.float32))
    for networks in ((encoder, plain[1]), (plain[0], keras.Sequential(layers))):
        model = kind(*networks, likelihood=likelihoods.Bernoulli("none"), seed=0, **options)
        values = [model.objective(given, 0, training)["reconstruction"] for training in (False, False, True)]
        np.testing.assert_array_equal(values[0], values[1])
        assert not np.allclose(values[1], values[2])


def test_memory_follows_what_the_decoder_gives(monkeypatch):
    """Of 256 numbers a value, fewer images are decoded at once."""
    categorical = likelihoods.Categorical(levels=256)
    shape, chunks = (4, 4, 3), []
    model = zoo.VAE(mlp_encoder(shape, (4,)), mlp_decoder(2, (4, 4, 768), (4,)), likelihood=categorical)
    images = np.random.default_rng(0).integers(0, 256, (25, *shape)).astype(np.float32) / 255
    whole = model.log_likelihood(images, 50).mean
    monkeypatch.setattr("zoo.metrics.likelihood._VALUES_AT_ONCE", 12 * 4 * (4 * 4 * 768))

    class Counted(keras.utils.Progbar):
        def __init__(self, target, **options):
            chunks.append(target)
            super().__init__(target, **{**options, "verbose": 0})

    monkeypatch.setattr("keras.utils.Progbar", Counted)
    assert model.log_likelihood(images, 50, verbose=True).mean == pytest.approx(whole, abs=1)
    assert chunks == [3]
    chunks.clear()  # of a layer inside that is wider than the parameters
    wide = zoo.VAE(mlp_encoder(shape, (4,)), mlp_decoder(2, shape, (12 * 4 * (4 * 4 * 768) // 5,)))
    assert np.isfinite(wide.log_likelihood(images, 3, verbose=True).mean)
    assert chunks == [5]
    latents = keras.Input((2,))  # layers may have several outputs
    sequence, *_ = keras.layers.LSTM(48, return_sequences=True, return_state=True)(
        keras.layers.Reshape((1, 2))(latents)
    )
    odd = zoo.VAE(mlp_encoder(shape, (4,)), keras.Model(latents, keras.layers.Reshape(shape)(sequence)))
    assert np.isfinite(odd.log_likelihood(images, 3).mean)
