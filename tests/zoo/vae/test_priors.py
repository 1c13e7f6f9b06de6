"""Priors against closed forms and changes of variables, and with every posterior in a VAE."""

import itertools

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import export
import zoo
from zoo.networks import mlp_decoder, mlp_encoder
from zoo.sampling import draw
from zoo.vae.posteriors import POSTERIORS
from zoo.vae.priors import AutoregressiveFlow, CouplingFlow, GaussianMixture, Prior, StandardNormal, VampPrior
from zoo.vae.priors.components import as_components

MANY, SHAPE = 50_000, (4, 4, 1)
ALONE = {
    "standard_normal": StandardNormal,
    "diagonal_mixture": lambda size: GaussianMixture(size, components=4),
    "full_mixture": lambda size: GaussianMixture(size, components=4, covariance="full"),
    "autoregressive_flow": lambda size: AutoregressiveFlow(size, hidden=(16,)),
    "coupling_flow": lambda size: CouplingFlow(size, hidden=(16,)),
}
FLOWS = ("autoregressive_flow", "coupling_flow")
EVERY = {**ALONE, "vamp": lambda size: VampPrior(size, components=5)}


def built(name: str, size: int, spread: float = 0.3) -> Prior:
    """Returns a prior that needs no posterior, with random weights."""
    keras.utils.set_random_seed(0)
    layer = ALONE[name](size)
    layer.build(SHAPE)
    layer.built = True
    generator = np.random.default_rng(0)
    for weight in layer.trainable_variables:
        weight.assign(weight + generator.normal(0, spread, weight.shape))
    return layer


@pytest.mark.parametrize("name", ALONE)
def test_densities_integrate_to_one_and_draws_have_their_moments(name):
    prior = built(name, 2, spread=0.1).distribution()  # with more, flows have tails that leave the grid
    axis = np.linspace(-14, 14, 561)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    densities = np.exp(prior.log_prob(grid.astype(np.float32)).numpy().astype(np.float64)) * (axis[1] - axis[0]) ** 2
    assert densities.sum() == pytest.approx(1, abs=1e-3)
    drawn = draw(prior, 3, [MANY]).numpy()
    for power in (1, 2):
        error = (drawn**power).std(axis=0) / np.sqrt(MANY)
        assert (np.abs((drawn**power).mean(axis=0) - densities @ grid**power) < 4.5 * error).all()


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("size", [2, 5])
def test_shapes_prefixes_temperature_and_gradients(name, size):
    layer = built(name, size)
    with tf.GradientTape() as tape:
        prior = layer.distribution()
        loss = tf.reduce_mean(prior.log_prob(tf.random.stateless_normal([6, 7, size], [0, 1])))
    assert (prior.batch_shape, prior.event_shape) == ((), (size,))
    for gradient in tape.gradient(loss, layer.trainable_variables):
        assert np.isfinite(gradient.numpy()).all()
        assert np.abs(gradient.numpy()).max() > 0
    many = draw(prior, 3, [2000]).numpy()
    np.testing.assert_allclose(draw(prior, 3, [6]), many[:6], atol=1e-5)
    single = draw(prior, 3)
    assert (single.shape, prior.log_prob(single).shape) == ((size,), ())
    spread, cold = (np.sqrt(scatter(draw(prior, 3, [2000], t).numpy(), layer)) for t in (1.0, 0.05))
    assert cold < 0.2 * spread


def scatter(latents: np.ndarray, layer: Prior) -> float:
    """Returns the mean squared distance to the middle, or to the nearest of a mixture's means."""
    middles = layer._means.numpy() if isinstance(layer, GaussianMixture) else latents.mean(axis=0)[None]
    return float(((latents[:, None] - middles) ** 2).sum(axis=-1).min(axis=1).mean())


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("size", [2, 5])
def test_the_density_of_a_flow_is_the_change_of_variables(name, size):
    prior = built(name, size).distribution()
    noise = draw(prior.distribution, 4, [20])
    with tf.GradientTape() as tape:
        tape.watch(noise)
        latents = prior.bijector.forward(noise)
    _, log_determinant = np.linalg.slogdet(tape.batch_jacobian(latents, noise).numpy())
    expected = prior.distribution.log_prob(noise) - log_determinant
    copied = tf.identity(latents)  # unknown to TFP's memory of what it has computed
    np.testing.assert_allclose(prior.log_prob(copied), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(prior.bijector.inverse(copied), noise, atol=1e-4)
    assert np.abs(latents - noise).max() > 0.1


@pytest.mark.parametrize("name", FLOWS)
def test_flows_start_as_the_standard_normal(name):
    layer, latents = built(name, 5, spread=0), tf.random.stateless_normal([9, 5], [0, 1])
    prior = layer.distribution()
    np.testing.assert_allclose(prior.log_prob(latents), StandardNormal(5).distribution().log_prob(latents), rtol=1e-5)
    np.testing.assert_allclose(prior.bijector.forward(latents), latents, atol=1e-6)


def test_each_latent_depends_on_every_other_one_after_two_steps():
    """The first step sees the latents before, the second, turned about, those after."""
    bijector, noise = built("autoregressive_flow", 4).bijector(), tf.random.stateless_normal([3, 4], [0, 1])
    for step, below in zip(bijector.bijectors, (np.tri(4), np.tri(4).T), strict=True):
        with tf.GradientTape() as tape:
            tape.watch(noise)
            latents = step.forward(noise)
        found = np.abs(tape.batch_jacobian(latents, noise).numpy()).min(axis=0) > 1e-7
        assert found.tolist() == (below == 1).tolist()


def test_couplings_alternate_between_the_halves():
    noise = tf.random.stateless_normal([4, 5], [0, 1])
    for index, unchanged in ((0, slice(0, 2)), (1, slice(2, 5))):
        moved = built("coupling_flow", 5).bijector().bijectors[index].forward(noise) - noise
        changed = np.ones(5, bool)
        changed[unchanged] = False
        assert (np.abs(moved.numpy()).min(axis=0) > 0).tolist() == changed.tolist()


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_an_assigned_mixture_is_that_of_scipy(covariance):
    generator = np.random.default_rng(0)
    weights, means = np.array([0.2, 0.5, 0.3]), generator.normal(0, 2, (3, 4))
    factors = generator.normal(0, 1, (3, 4, 4))
    matrices = factors @ np.swapaxes(factors, 1, 2) + 0.1 * np.eye(4)
    if covariance == "diagonal":
        matrices *= np.eye(4)
    layer = GaussianMixture(4, components=3, covariance=covariance)
    layer.build(SHAPE)
    layer.assign(weights, means, matrices if covariance == "full" else np.diagonal(matrices, axis1=1, axis2=2))
    points = generator.normal(0, 3, (50, 4))
    parts = [
        scipy.stats.multivariate_normal(mean, matrix).pdf(points) for mean, matrix in zip(means, matrices, strict=True)
    ]
    np.testing.assert_allclose(
        layer.distribution().log_prob(points.astype(np.float32)), np.log(weights @ np.array(parts)), rtol=1e-4
    )


def test_components_of_a_mixture_differ_at_first():
    keras.utils.set_random_seed(0)
    layer = GaussianMixture(4)
    layer.build(SHAPE)
    means = layer._means.numpy()
    assert np.abs(means[:, None] - means)[np.triu_indices(10, 1)].sum(axis=-1).min() > 0.5


def test_what_cannot_be_is_refused():
    for make, message in (
        (lambda: CouplingFlow(1), "needs at least 2"),
        (lambda: CouplingFlow(3, flows=0), "at least 1"),
        (lambda: AutoregressiveFlow(3, flows=0), "at least 1"),
        (lambda: AutoregressiveFlow(3, hidden=()), "hidden is"),
        (lambda: GaussianMixture(3, components=0), "at least 1"),
        (lambda: GaussianMixture(3, covariance="spherical"), "Known: diagonal, full"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    assert AutoregressiveFlow(1).latent_size == 1


COMBINATIONS = [
    pair for pair in itertools.product(POSTERIORS, EVERY) if pair != ("inverse_autoregressive_flow", "vamp")
]
QUICK = {
    ("full_covariance_normal", "autoregressive_flow"),
    ("inverse_autoregressive_flow", "coupling_flow"),
}


def vae(posterior: str, prior: str) -> zoo.VAE:
    encoder, decoder = mlp_encoder(SHAPE, (6,)), mlp_decoder(3, SHAPE, (6,))
    return zoo.VAE(encoder, decoder, posterior=posterior, prior=EVERY[prior](3), seed=0)


def images(count: int = 8) -> np.ndarray:
    return np.random.default_rng(0).random((count, *SHAPE), np.float32)


@pytest.mark.parametrize("posterior, prior", COMBINATIONS)
def test_the_divergence_is_known_or_said_not_to_be(posterior, prior):
    """TFP knows a closed form for two Normals alone, eagerly and in graphs; then the VAE takes log q - log p."""
    model = vae(posterior, prior)
    known = prior == "standard_normal" and posterior != "inverse_autoregressive_flow"

    def divergence(batch: tf.Tensor) -> tf.Tensor:
        return tfd.kl_divergence(model.posterior(batch), model.prior())

    for function in (divergence, tf.function(divergence, autograph=False)):
        if known:
            assert function(tf.constant(images())).shape == (8,)
        else:
            with pytest.raises(NotImplementedError):
                function(tf.constant(images()))
    bound = model.elbo(tf.constant(images()), 0)
    np.testing.assert_allclose(bound["elbo"], bound["reconstruction"] - bound["kl"], rtol=1e-5)


@pytest.mark.parametrize(
    "posterior, prior",
    [pytest.param(*pair, marks=() if pair in QUICK else pytest.mark.slow) for pair in COMBINATIONS],
)
def test_every_combination_trains_saves_and_exports(posterior, prior, tmp_path):
    """Under mixed_bfloat16, compiled by XLA, to a .keras file and to both formats."""
    keras.utils.set_random_seed(0)
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = vae(posterior, prior)
    finally:
        keras.config.set_dtype_policy(before)
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=True)
    history = model.fit(images(), batch_size=4, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras").sample(3), model.sample(3))
    export.save(model, tmp_path / "bundle")  # raises where a format differs
    likelihood = model.log_likelihood(images(), num_samples=10)
    assert np.isfinite(likelihood.mean)


def test_densities_by_matrix_products_are_those_of_the_mixture():
    """Also where scales are so small that large terms cancel."""
    generator = np.random.default_rng(0)
    loc = 3 * generator.normal(size=(20, 30)).astype(np.float32)
    scale = np.exp(generator.normal(size=loc.shape) - 2).astype(np.float32)
    plain = tfd.Independent(tfd.Normal(loc, scale), 1)
    weights = tfd.Categorical(logits=tf.zeros([20]))
    near = loc + scale * generator.normal(size=loc.shape).astype(np.float32)
    for points in (near, np.stack([near, near[::-1]]), near[0]):
        expected = tfd.MixtureSameFamily(weights, plain).log_prob(points)
        found = tfd.MixtureSameFamily(weights, as_components(plain)).log_prob(points)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(as_components(plain).log_prob(near), plain.log_prob(near), rtol=1e-5)


def test_a_vamp_prior_is_the_mixture_of_posteriors_at_its_pseudo_inputs():
    model = zoo.VAE(mlp_encoder((4, 4, 1), (8,)), mlp_decoder(3, (4, 4, 1), (8,)), prior=VampPrior(3, 5, 0.2))
    inputs = model.prior_layer.pseudo_inputs
    assert inputs.shape == (5, 4, 4, 1)
    assert float(tf.reduce_mean(inputs)) == pytest.approx(0.2, abs=0.05)
    points = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    each = np.stack([model.posterior(inputs[index : index + 1]).log_prob(points) for index in range(5)])
    np.testing.assert_allclose(model.prior().log_prob(points), np.log(np.exp(each).mean(axis=0)), rtol=1e-4)


@pytest.mark.parametrize(
    "posterior, prior",
    [*sorted(QUICK), *itertools.product(["diagonal_normal"], EVERY), ("full_covariance_normal", "standard_normal")],
)
def test_the_elbo_is_the_mean_log_weight(posterior, prior):
    """Whether the KL is in closed form or of one draw, with its sign."""
    model = vae(posterior, prior)
    rng = np.random.default_rng(0)
    model.set_weights([weight + 0.3 * rng.normal(size=weight.shape) for weight in model.get_weights()])
    given = tf.constant(np.random.default_rng(1).integers(0, 2, (3, *SHAPE)).astype(np.float32))
    elbo = tf.function(lambda seed: model.elbo(given, seed)["elbo"], autograph=False)
    values = np.array([elbo(tf.constant(seed, tf.int64)) for seed in range(300)])
    weights = model.weigher(given)(tf.constant(3000), tf.constant(7, tf.int64)).numpy()
    error = np.hypot(values.std(axis=0) / np.sqrt(300), weights.std(axis=0) / np.sqrt(3000))
    assert (np.abs(values.mean(axis=0) - weights.mean(axis=0)) < 4.5 * error + 1e-4).all()
