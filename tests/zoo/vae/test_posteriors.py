"""Posteriors against closed forms and changes of variables."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import zoo
from zoo.networks.masked import MADE
from zoo.sampling import draw
from zoo.vae.posteriors import POSTERIORS, FullCovarianceNormal, InverseAutoregressiveFlow, Posterior

SIZE, FEATURES, BATCH = 3, 4, 5
MANY = 50_000


def built(layer: Posterior, spread: float = 0.4) -> Posterior:
    """Returns a posterior of features [batch, FEATURES] with random weights."""
    keras.utils.set_random_seed(0)
    layer.build((None, FEATURES))
    layer.built = True
    generator = np.random.default_rng(0)
    for weight in layer.trainable_variables:
        weight.assign(weight + generator.normal(0, spread, weight.shape))
    return layer


def features(batch: int = BATCH) -> tf.Tensor:
    return tf.constant(np.random.default_rng(1).normal(size=(batch, FEATURES)), tf.float32)


def of_features(layer: Posterior, batch: int = BATCH) -> tfd.Distribution:
    return layer.distribution(layer(features(batch)))


@pytest.fixture(params=POSTERIORS)
def layer(request) -> Posterior:
    return built(POSTERIORS[request.param](SIZE))


def test_shapes_and_gradients(layer):
    with tf.GradientTape() as tape:
        posterior = of_features(layer)
        latents = draw(posterior, 0, [7])
        loss = tf.reduce_mean(posterior.log_prob(latents) + tf.reduce_sum(latents**2, axis=-1))
    assert (posterior.batch_shape, posterior.event_shape) == ((BATCH,), (SIZE,))
    assert latents.shape == (7, BATCH, SIZE)
    for gradient in tape.gradient(loss, layer.trainable_variables):
        assert np.isfinite(gradient.numpy()).all()
        assert np.abs(gradient.numpy()).max() > 0


def test_densities_integrate_to_one(layer):
    small = built(type(layer)(2))
    axis = np.linspace(-12, 12, 241, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 1, 2)
    densities = np.exp(of_features(small, 2).log_prob(grid).numpy().astype(np.float64))
    np.testing.assert_allclose(densities.sum(axis=0) * (axis[1] - axis[0]) ** 2, 1, atol=2e-3)


def test_temperature_scales_the_noise(layer):
    posterior = of_features(layer)
    cold, warm = (draw(posterior, 3, [2000], temperature).numpy() for temperature in (0.1, 1.0))
    assert (cold.std(axis=0) < 0.3 * warm.std(axis=0)).all()
    np.testing.assert_allclose(cold.mean(axis=0), layer.statistics(posterior)["loc"], atol=0.15)


def test_full_covariance_is_that_of_scipy():
    layer = built(FullCovarianceNormal(SIZE))
    posterior, latents = of_features(layer), np.random.default_rng(2).normal(size=(9, BATCH, SIZE)).astype(np.float32)
    tril = posterior.scale_tril.numpy()
    assert (np.triu(tril, 1) == 0).all()
    assert (np.abs(tril[:, np.tril(np.ones([SIZE, SIZE]), -1) == 1]) > 0).all()
    for index in range(BATCH):
        covariance = tril[index] @ tril[index].T
        exact = scipy.stats.multivariate_normal(posterior.loc[index].numpy(), covariance)
        np.testing.assert_allclose(posterior.log_prob(latents)[:, index], exact.logpdf(latents[:, index]), rtol=1e-4)
        np.testing.assert_allclose(layer.statistics(posterior)["scale"][index], np.sqrt(np.diag(covariance)), rtol=1e-5)
        drawn = draw(posterior, 0, [MANY])[:, index].numpy()
        np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.03 * np.trace(covariance))


def test_full_covariance_has_a_divergence_in_closed_form():
    """Against Monte Carlo, for a prior that is not standard."""
    posterior = of_features(built(FullCovarianceNormal(SIZE)))
    prior = tfd.Independent(tfd.Normal([0.5, 0.0, -1.0], [1.5, 0.7, 1.0]), 1)
    latents = draw(posterior, 0, [MANY])
    ratios = (posterior.log_prob(latents) - prior.log_prob(latents)).numpy()
    error = ratios.std(axis=0) / np.sqrt(MANY)
    assert (np.abs(tfd.kl_divergence(posterior, prior) - ratios.mean(axis=0)) < 4.5 * error).all()
    for other in (
        tfd.Independent(tfd.Laplace(tf.zeros(SIZE), 1.0), 1),
        tfd.Independent(tfd.Normal(tf.zeros([2, 3]), 1.0), 2),
    ):
        with pytest.raises(NotImplementedError):
            tfd.kl_divergence(posterior, other)


def flow(size: int = SIZE, **arguments) -> InverseAutoregressiveFlow:
    return built(InverseAutoregressiveFlow(size, hidden=(16,), **arguments))


@pytest.mark.parametrize("flows", [1, 3])
def test_the_density_of_a_flow_is_the_change_of_variables(flows):
    posterior = of_features(flow(flows=flows))
    noise = draw(posterior.distribution, 4)
    with tf.GradientTape() as tape:
        tape.watch(noise)
        latents = posterior.bijector.forward(noise)
    _, log_determinant = np.linalg.slogdet(tape.batch_jacobian(latents, noise).numpy())
    expected = posterior.distribution.log_prob(noise) - log_determinant
    np.testing.assert_allclose(posterior.log_prob(latents), expected, rtol=1e-4)
    # Elsewhere too, latent by latent: the copy of the tensor is not known to TFP.
    np.testing.assert_allclose(posterior.log_prob(tf.identity(latents)), expected, rtol=1e-4)
    np.testing.assert_allclose(posterior.bijector.inverse(tf.identity(latents)), noise, atol=1e-5)


def log_prob_of_draws(layer: Posterior, values: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    posterior = layer.distribution(layer(values))
    return posterior.log_prob(draw(posterior, seed, [4]))


def ops(function: tf.types.experimental.ConcreteFunction) -> list[str]:
    graph = function.graph.as_graph_def()
    return [node.op for nodes in (graph.node, *(f.node_def for f in graph.library.function)) for node in nodes]


def test_the_density_of_its_own_draws_needs_no_loop():
    layer, specs = flow(), (tf.TensorSpec([None, FEATURES]), tf.TensorSpec([], tf.int64))

    def elsewhere(values: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        posterior = layer.distribution(layer(values))
        return posterior.log_prob(tf.identity(draw(posterior, seed, [4])))

    def in_a_loop(values: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        def add(step: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return step + 1, total + log_prob_of_draws(layer, values, seed + step)

        start = (tf.constant(0, tf.int64), tf.zeros([4, tf.shape(values)[0]]))
        return tf.while_loop(lambda step, _: step < 3, add, start)[1]

    def loops(function) -> int:
        concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
        return sum("While" in op for op in ops(concrete))

    assert loops(lambda values, seed: log_prob_of_draws(layer, values, seed)) == 0
    assert loops(elsewhere) == layer.flows
    assert loops(in_a_loop) == 1  # its own


def test_the_density_of_its_own_draws_is_the_same_compiled():
    layer, seed = flow(), tf.constant(5, tf.int64)
    compiled = tf.function(lambda values: log_prob_of_draws(layer, values, seed), jit_compile=True, autograph=False)
    assert " while(" not in compiled.experimental_get_compiler_ir(features())("hlo")
    np.testing.assert_allclose(compiled(features()), log_prob_of_draws(layer, features(), seed), rtol=1e-4, atol=1e-4)


def test_eager_draws_call_each_network_as_often_as_needed(monkeypatch):
    layer, calls = flow(10), []
    call = MADE.call
    monkeypatch.setattr(MADE, "call", lambda self, *args, **kwargs: calls.append(1) or call(self, *args, **kwargs))
    log_prob_of_draws(layer, features(), tf.constant(0, tf.int64))
    assert len(calls) <= 2 * layer.flows  # for the draw, and for the determinant


def test_statistics_are_exact_where_the_flow_is_linear():
    """With large biases before the elu, and gates that are constant, latents are linear in the noise."""
    layer = flow()
    for network in layer._networks:
        hidden, last = network._hidden_layers[0], network._last
        hidden.bias.assign(tf.fill(hidden.bias.shape, 30.0))
        kernel, bias = last.kernel.numpy(), last.bias.numpy()
        kernel[:, SIZE:], bias[:] = 0, 0
        last.kernel.assign(kernel)
        last.bias.assign(bias)
    posterior = of_features(layer)
    drawn, statistics = draw(posterior, 0, [MANY]).numpy(), layer.statistics(posterior)
    error = drawn.std(axis=0) / np.sqrt(MANY)
    assert (np.abs(drawn.mean(axis=0) - statistics["loc"]) < 4.5 * error).all()
    assert (np.abs(drawn.std(axis=0) - statistics["scale"]) < 4.5 * error).all()


def test_a_flow_starts_as_a_slight_shrinking():
    layer = InverseAutoregressiveFlow(SIZE, flows=2)
    layer.build((None, FEATURES))
    posterior = of_features(layer)
    statistics, base = layer.statistics(posterior), posterior.distribution.distribution
    gate = 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(statistics["loc"], gate**2 * base.loc.numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(statistics["scale"], gate**2 * base.scale.numpy(), rtol=1e-4)
    assert not layer.has_fast_density


def test_a_flow_without_steps_is_refused():
    with pytest.raises(zoo.ZooError, match="at least 1"):
        InverseAutoregressiveFlow(3, flows=0)
