"""The VQ-VAE: its bound by enumeration, its two stages, and its artifacts."""

import itertools
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import export
import zoo
from export.precision import in_float32
from zoo.networks import grid_decoder, grid_encoder, pixelcnn
from zoo.vae.likelihoods import Bernoulli, Normal
from zoo.vae.quantizers import FiniteScalarQuantizer, VectorQuantizer
from zoo.vae.vqvae import VQVAE

SHAPE, GRID = (8, 8, 1), (4, 4)


def made(quantizer=None, image_shape=SHAPE, **arguments) -> VQVAE:
    """A small model; features have as many channels as the quantizer needs."""
    quantizer = quantizer or VectorQuantizer(codes=12)
    channels = len(quantizer.levels) if isinstance(quantizer, FiniteScalarQuantizer) else 4
    encoder = grid_encoder(image_shape, (16,), channels, blocks=1)
    grid = encoder.output_shape[1:]
    decoder = grid_decoder(grid, image_shape, (16,), blocks=1)
    prior = pixelcnn(grid[:2], quantizer.num_codes, filters=8, blocks=1, kernel=7)
    return VQVAE(encoder, decoder, quantizer, prior, **{"seed": 0, **arguments})


@pytest.fixture(scope="module")
def fitted(digits) -> VQVAE:
    keras.utils.set_random_seed(0)
    model = made()
    model.compile(keras.optimizers.Adam(5e-3))
    model.history_of_fit = model.fit(digits[:1500], batch_size=50, epochs=8, validation_data=digits[1500:], verbose=0)
    model.history_of_prior = model.fit_prior(
        digits[:1500], epochs=4, batch_size=50, learning_rate=5e-3, validation_data=digits[1500:], verbose=0
    )
    return model


def test_training_raises_both_likelihoods(fitted, digits):
    history = fitted.history_of_fit.history
    assert set(history) == {f"{part}{name}" for part in ("", "val_") for name in fitted.objective_names}
    assert history["val_reconstruction"][-1] > -24  # independent pixels with the right means reach -32.4
    assert 5 < history["val_perplexity"][-1] <= 12
    loss = 0.25 * np.array(history["commitment"]) - history["reconstruction"]
    np.testing.assert_allclose(history["loss"], loss, rtol=1e-5)
    prior = fitted.history_of_prior.history
    assert prior["val_loss"][-1] < 0.85 * 16 * np.log(12)
    assert np.abs(fitted.reconstruct(digits[1500:]) - digits[1500:]).mean() < 0.15


def test_the_bound_is_the_likelihood_of_the_codes_and_given_them(fitted, digits):
    images = (digits[:120] > 0.5).astype(np.float32)
    estimate = fitted.log_likelihood(images, num_samples=7, seed=3)
    codes = fitted.encode(images)
    given = fitted.likelihood(codes).log_prob(images)
    logits = tf.nn.log_softmax(fitted.prior_network(codes))
    prior = tf.reduce_sum(tf.gather(logits, codes, batch_dims=3), axis=[1, 2])
    np.testing.assert_allclose(estimate.per_image, given + prior, rtol=1e-4)
    terms = fitted.run("elbo", image=images, seed=1)
    np.testing.assert_allclose(terms["elbo"], estimate.per_image, rtol=1e-4)
    np.testing.assert_allclose(terms["kl"], -prior, rtol=1e-4)
    np.testing.assert_allclose(estimate.per_image, fitted.log_likelihood(images).per_image, rtol=1e-6)


def test_the_bound_is_below_the_exact_likelihood_of_every_image():
    """p(x) sums over all codes of a tiny model, and to one over all binary images."""
    keras.utils.set_random_seed(1)
    shape = (4, 2, 1)
    model = made(VectorQuantizer(codes=3), shape, likelihood=Bernoulli("threshold"))
    images = np.array(list(itertools.product([0, 1], repeat=8)), np.float32).reshape(-1, *shape)
    model.compile(keras.optimizers.Adam(5e-3))
    model.fit(images, epochs=3, verbose=0)
    model.fit_prior(images, epochs=3, verbose=0)
    codes = np.array(list(itertools.product(range(3), repeat=2)), np.int32).reshape(-1, 2, 1)
    prior = np.log([np.exp(-model.run("elbo", image=images)["kl"])]).ravel()
    log_prior = zoo.vae.code_prior.log_prob(model.prior_network, codes).numpy()
    given = model.likelihood(codes).log_prob(images[:, None]).numpy()
    exact = tf.reduce_logsumexp(given + log_prior, axis=1).numpy()
    assert np.exp(exact).sum() == pytest.approx(1, abs=1e-4)
    bound = model.log_likelihood(images).per_image
    assert (bound <= exact + 1e-5).all()
    assert (exact - bound).max() > 0.01
    assert set(prior.round(4)) <= set(log_prior.round(4))


def test_encode_decode_and_reconstruct_agree(fitted, digits):
    codes = fitted.encode(digits[:300])
    assert codes.dtype == np.int32
    assert codes.shape == (300, *GRID)
    assert 0 <= codes.min() < codes.max() < 12
    np.testing.assert_allclose(fitted.decode(codes), fitted.reconstruct(digits[:300]), atol=1e-6)
    np.testing.assert_allclose(fitted.predict(digits[:300], verbose=0), fitted.reconstruct(digits[:300]), atol=1e-6)


def test_samples_depend_on_seed_and_temperature_alone(fitted):
    first = fitted.sample(5, seed=3)
    assert first.shape == (5, *SHAPE)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, fitted.sample(5, seed=3))
    assert not np.array_equal(first, fitted.sample(5, seed=4))
    assert not np.array_equal(first, fitted.sample(5, seed=3, temperature=0.5))
    np.testing.assert_allclose(first, fitted.run("sample", n=5, seed=3)["image"], atol=1e-6)
    many = fitted.sample(300, seed=0)
    np.testing.assert_allclose(many[:7], fitted.sample(7, seed=0), atol=1e-6)
    assert len(np.unique(many.round(4), axis=0)) > 250


def test_each_stage_leaves_the_weights_of_the_other(digits):
    model = made()
    model.compile("adam")
    for stage, moves in ((model.fit, (True, True, True, False)), (model.fit_prior, (False, False, False, True))):
        parts = (model.encoder, model.decoder, model.quantizer, model.prior_network)
        before = [part.get_weights() for part in parts]
        stage(digits[:64], batch_size=16, epochs=1, verbose=0)
        for part, weights, moved in zip(parts, before, moves, strict=True):
            same = all(np.array_equal(one, other) for one, other in zip(part.get_weights(), weights, strict=True))
            assert same != moved, part.name
    trained = {id(variable) for variable in model.trainable_variables}
    assert trained == {id(v) for part in (model.encoder, model.decoder) for v in part.trainable_variables}


def test_without_a_fitted_prior_there_are_no_samples_and_no_bound(digits):
    """Nor with one that has diverged."""
    model = made()
    assert set(model.signatures()) == {"encode", "decode", "reconstruct"}
    images = tf.constant(digits[:2])
    for use in (
        lambda: model.sample(2),
        lambda: model.run("sample", n=2, seed=0),
        lambda: model.elbo(images, 0),
        lambda: tf.function(model.elbo, autograph=False)(images, 0),
        lambda: model.log_likelihood(digits[:2]),
    ):
        with pytest.raises(zoo.ZooError, match=r"not fitted yet: call fit_prior\(images\)"):
            use()
    model.fit_prior(digits[:20], epochs=1, verbose=0)
    assert set(model.signatures()) == {"encode", "decode", "reconstruct", "sample", "elbo"}
    model.elbo(images, 0)
    with pytest.raises(zoo.ZooError, match="training stopped at batch"):
        model.fit_prior(digits[:50], epochs=5, batch_size=10, learning_rate=1e30, verbose=0)
    assert not model.prior_is_fitted


def test_fit_prior_takes_datasets_and_pairs_and_repeats_itself(digits):
    images, found = digits[:60], []
    dataset = tf.data.Dataset.from_tensor_slices((images, np.zeros(60))).batch(60)
    for source in ((images, np.zeros(60)), dataset):
        keras.utils.set_random_seed(5)
        model = made()
        keras.utils.set_random_seed(len(found))
        history = model.fit_prior(source, epochs=1, batch_size=16, validation_data=source, verbose=0).history
        found.append([*history["loss"], *history["val_loss"]])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_the_prior_learns_the_codes_of_what_the_likelihood_scores(digits):
    """Binarized images, not their intensities, where the likelihood binarizes."""
    model = made(likelihood=Bernoulli("threshold"))
    grey = np.where(digits[:80] > 0.5, 0.7, 0.3).astype(np.float32)
    expected = model.encode((grey > 0.5).astype(np.float32))
    np.testing.assert_array_equal(model._codes_of(grey, "images"), expected)
    np.testing.assert_array_equal(model.encode(grey), expected)
    drawn = made(likelihood=Bernoulli("sample"))
    assert not np.array_equal(drawn.encode(grey), drawn.encode((grey > 0.5).astype(np.float32)))


def test_the_prior_sees_images_binarized_anew_at_each_epoch(digits, monkeypatch):
    given = []
    monkeypatch.setattr("zoo.vae.code_prior.fit", lambda _, codes, *__: given.append([codes(n) for n in (0, 1, 0)]))
    for binarize in ("sample", "threshold"):
        made(likelihood=Bernoulli(binarize)).fit_prior(digits[:50], verbose=0)
    (first, second, again), fixed = given
    np.testing.assert_array_equal(first, again)
    assert 0 < (first != second).mean() < 0.9
    np.testing.assert_array_equal(fixed[0], fixed[1])


def test_training_on_asks_for_a_new_prior(digits):
    model = made()
    model.compile("adam")
    model.fit(digits[:50], verbose=0)
    model.fit_prior(digits[:50], epochs=1, verbose=0)
    assert model.prior_is_fitted
    model.fit(digits[:50], verbose=0)
    with pytest.raises(zoo.ZooError, match=r"call fit_prior\(images\)"):
        model.log_likelihood(digits[:5])


def test_keras_file_keeps_the_fitted_prior(fitted, tmp_path, digits):
    fitted.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.prior_is_fitted
    np.testing.assert_array_equal(again.sample(4, seed=2), fitted.sample(4, seed=2))
    np.testing.assert_array_equal(again.encode(digits[:9]), fitted.encode(digits[:9]))
    assert len(again.trainable_variables) == len(fitted.trainable_variables)
    for one, other in zip(again.optimizer.variables, fitted.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    again.fit(digits[:20], epochs=1, verbose=0)
    again.fit_prior(digits[:20], epochs=1, verbose=0)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_presets_keep_the_fitted_prior(fitted, tmp_path, dtype, digits):
    fitted.save_to_preset(tmp_path / "preset", weights_dtype=dtype)
    again = VQVAE.from_preset(tmp_path / "preset")
    if dtype == "float32":
        np.testing.assert_array_equal(again.sample(4), fitted.sample(4))
    else:
        assert (again.encode(digits[:50]) == fitted.encode(digits[:50])).mean() > 0.98
    assert again.prior_is_fitted


def test_every_argument_is_kept():
    model = made(VectorQuantizer(5, 0.9, 1e-3, 7), likelihood=Normal(0.3), commitment=0.7, seed=11)
    again = VQVAE.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert (again.commitment, again.seed, again.likelihood_layer.scale) == (0.7, 11, 0.3)
    quantizer = again.quantizer
    assert (quantizer.codes, quantizer.decay, quantizer.smoothing, quantizer.revive_after) == (5, 0.9, 1e-3, 7)
    levels = VQVAE.from_config(made(FiniteScalarQuantizer((3, 2))).get_config()).quantizer.levels
    assert tuple(levels) == (3, 2)


def test_exports_agree_and_draw_the_same(fitted, tmp_path):
    manifest = export.save(fitted, tmp_path / "bundle")
    assert set(manifest["parity"]) == {"encode", "decode", "reconstruct", "sample", "elbo"}
    assert manifest["parity"]["encode"] == {"saved_model": 0, "onnx": 0}
    bundle = export.load(tmp_path / "bundle")
    np.testing.assert_allclose(bundle.sample(20, seed=5), fitted.sample(20, seed=5), atol=1e-4)
    cold = fitted.sample(20, seed=5, temperature=0.5)
    np.testing.assert_allclose(bundle.sample(20, seed=5, temperature=0.5), cold, atol=1e-4)


def test_scalar_codes_and_real_pixels_export_too(digits, tmp_path):
    """Without draws of targets there is no seed that the bound could depend on."""
    keras.utils.set_random_seed(2)
    model = made(FiniteScalarQuantizer((5, 4)), likelihood=Normal(0.2))
    model.compile(keras.optimizers.Adam(5e-3))
    model.fit(digits[:300], epochs=2, batch_size=50, verbose=0)
    model.fit_prior(digits[:300], epochs=1, verbose=0)
    assert [spec.name for spec in model.signatures()["elbo"].inputs] == ["image"]
    export.save(model, tmp_path / "bundle", formats=["onnx"])
    np.testing.assert_allclose(export.load(tmp_path / "bundle").sample(9), model.sample(9), atol=1e-4)


def test_without_a_prior_the_rest_is_exported(tmp_path):
    manifest = export.save(made(), tmp_path / "bundle", formats=["onnx"])
    assert set(manifest["parity"]) == {"encode", "decode", "reconstruct"}


def test_compiled_and_plain_training_agree(digits):
    losses = []
    for jit_compile in (False, True):
        keras.utils.set_random_seed(0)
        model = made()
        model.compile(keras.optimizers.SGD(1e-4), jit_compile=jit_compile)
        losses.append(model.fit(digits[:60], batch_size=20, epochs=2, verbose=0, shuffle=False).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-3)


def test_mixed_bfloat16_trains_and_its_copy_in_float32_samples(digits):
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = made()
        model.compile("adam")
        assert np.isfinite(model.fit(digits[:60], epochs=1, verbose=0).history["loss"]).all()
        model.fit_prior(digits[:60], epochs=1, verbose=0)
        assert model.sample(2).dtype == np.float32
        assert model.log_likelihood(digits[:4]).per_image.shape == (4,)
        copy = in_float32(model)
        assert copy is not model
        assert np.abs(copy.sample(4) - model.sample(4)).mean() < 0.1
    finally:
        keras.config.set_dtype_policy(before)


def test_default_parts():
    encoder = grid_encoder((6, 4, 1), (4,), 4, blocks=0)
    decoder = grid_decoder((3, 2, 4), (6, 4, 1), (4,), blocks=0)
    for name, codes in (("ema", 512), ("fsq", 1000)):
        model = VQVAE(encoder, decoder, name)
        assert model.num_codes == codes
        assert model.prior_network.output_shape == (None, 3, 2, codes)
        assert isinstance(model.likelihood_layer, Bernoulli)


def test_bad_arguments_are_refused(fitted, digits):
    for codes, message in (
        (np.zeros((1, 4, 5), int), r"codes have shape \[1, 4, 5\].*expected integers \[batch, 4, 4\]"),
        (np.zeros((4, 4), int), r"shape \[4, 4\]"),
        (np.zeros((1, 4, 4)), "dtype float64"),
        (np.full((1, 4, 4), 12), r"from 12 to 12, expected 0 to 11"),
        (np.full((1, 4, 4), -1), "from -1 to -1"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            fitted.decode(codes)
    for arguments, message in (
        ({"temperature": 0}, "temperature is 0"),
        ({"label": 3}, "takes no label"),
        ({"n": 0}, "n is 0"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            fitted.sample(**{"n": 1, **arguments})
    for images, arguments, message in (
        ((digits * 255).astype(np.uint8), {}, "images have dtype uint8"),
        (digits * 255, {}, "divide by 255"),
        (digits[:4, :5], {}, r"expected \[batch, 8, 8, 1\]"),
        (digits[:4], {"validation_data": digits[:4] - 1}, "validation_data range"),
        (digits[:4], {"epochs": 0}, "epochs is 0"),
        (digits[:4], {"batch_size": 0}, "batch_size is 0"),
        (digits[:4], {"learning_rate": -1.0}, "learning_rate is -1"),
        (tf.data.Dataset.from_tensor_slices(digits[:0]).batch(2), {}, "empty dataset"),
        ("images", {}, "expected"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            fitted.fit_prior(images, verbose=0, **arguments)
    assert fitted.prior_is_fitted


def test_parts_that_do_not_fit_are_refused():
    encoder, decoder = grid_encoder(SHAPE, (4,), 4, 0), grid_decoder((4, 4, 4), SHAPE, (4,), 0)
    prior = pixelcnn((4, 4), 512, 4, 1, 3)
    for arguments, message in (
        ((encoder, grid_decoder((4, 4, 3), SHAPE, (4,), 0)), r"features \[4, 4, 4\].*takes \[4, 4, 3\]"),
        ((encoder, grid_decoder((4, 4, 4), (8, 7, 1), (4,), 0)), r"gives \[8, 7, 1\].*needs \[8, 8, 1\]"),
        ((zoo.networks.mlp_encoder(SHAPE, (4,)), decoder), r"features \[4\]"),
        ((encoder, decoder, "fqs"), r"unknown quantizer 'fqs'.*Did you mean 'fsq'"),
        ((encoder, decoder, FiniteScalarQuantizer((5, 5))), "4 channels"),
        ((encoder, decoder, FiniteScalarQuantizer(), prior), r"\[4, 4, 512\].*need.*\[4, 4, 1000\]"),
        ((encoder, decoder, "ema", "pixelcnn"), "the prior is a str"),
        ((encoder, decoder, "ema", None, "bernoulli", -1.0), "commitment is -1"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            VQVAE(*arguments)


REPLICAS = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from zoo.networks import grid_decoder, grid_encoder
from zoo.vae.likelihoods import Bernoulli
from zoo.vae.quantizers import VectorQuantizer
from zoo.vae.vqvae import VQVAE

images = np.random.default_rng(0).random((24, 4, 4, 1), np.float32)
books = []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        quantizer = VectorQuantizer(5, revive_after=None)
        encoder, decoder = grid_encoder((4, 4, 1), (4,), 3, 0), grid_decoder((2, 2, 3), (4, 4, 1), (4,), 0)
        model = VQVAE(encoder, decoder, quantizer, likelihood=Bernoulli("threshold"), seed=0)
        model.compile(keras.optimizers.SGD(1e-3))
    model.fit(images, batch_size=8, epochs=2, verbose=0, shuffle=False)
    books.append(quantizer.codebook.numpy())
    model.fit_prior(images, epochs=1, verbose=0)
    assert model.sample(2).shape == (2, 4, 4, 1)
np.testing.assert_allclose(books[0], books[1], rtol=1e-4, atol=1e-6)

with strategy.scope():
    quantizer = VectorQuantizer(50)  # most of which die at once
    quantizer.build((None, 2, 2, 3))
    quantizer.built = True
halves = np.random.default_rng(1).normal(size=(2, 8, 2, 2, 3)).astype(np.float32)
values = strategy.experimental_distribute_values_from_function(
    lambda context: tf.constant(halves[context.replica_id_in_sync_group])
)
strategy.run(tf.function(lambda given: quantizer(given, training=True).codes, autograph=False), args=(values,))
first, second = strategy.experimental_local_results(quantizer.codebook.value)
np.testing.assert_array_equal(first, second)
"""


def test_two_replicas_learn_what_one_does_and_share_one_codebook():
    done = subprocess.run([sys.executable, "-c", REPLICAS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_interpolation_starts_and_ends_at_reconstructions(fitted, digits):
    paths = fitted.interpolate(digits[:3], digits[3:6], steps=5)
    assert paths.shape == (3, 5, 8, 8, 1)
    np.testing.assert_allclose(paths[:, 0], fitted.reconstruct(digits[:3]), atol=1e-5)
    np.testing.assert_allclose(paths[:, -1], fitted.reconstruct(digits[3:6]), atol=1e-5)
