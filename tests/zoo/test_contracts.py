"""What every public model and layer keeps to. A model that is not listed here fails the suite."""

import inspect
import subprocess
import sys

import keras
import numpy as np
import pytest

import zoo
from zoo.model import GenerativeModel
from zoo.networks import conv_decoder, conv_encoder, mlp_decoder, mlp_encoder
from zoo.vae import likelihoods, posteriors, priors


def vae() -> zoo.VAE:
    """A VAE in which no argument has its default."""
    return zoo.VAE(
        conv_encoder((8, 6, 1), (4,), 8),
        conv_decoder(3, (8, 6, 1), (4,), 8),
        posterior=posteriors.DiagonalNormal(3),
        prior=priors.StandardNormal(3),
        likelihood=likelihoods.Normal(scale=0.3, learned=True),
        seed=11,
    )


MODELS = {"VAE": vae}
LAYERS = {
    "DiagonalNormal": lambda: posteriors.DiagonalNormal(3),
    "StandardNormal": lambda: priors.StandardNormal(3),
    "VampPrior": lambda: priors.VampPrior(3, components=7, mean=0.3),
    "Bernoulli": lambda: likelihoods.Bernoulli(binarize="threshold"),
    "Normal": lambda: likelihoods.Normal(scale=0.3, learned=True),
}


@pytest.fixture(params=MODELS)
def model(request) -> GenerativeModel:
    return MODELS[request.param]()


def images(model: GenerativeModel, count: int = 12) -> np.ndarray:
    return np.random.default_rng(0).random((count, *model.image_shape), np.float32)


def test_every_public_model_and_layer_is_covered():
    public = {
        name
        for name in zoo.__all__
        if inspect.isclass(getattr(zoo, name)) and issubclass(getattr(zoo, name), GenerativeModel)
    }
    assert public - {"GenerativeModel"} == set(MODELS)
    bases = (posteriors.Posterior, priors.Prior, likelihoods.Likelihood)
    layers = {
        name
        for module in (posteriors, priors, likelihoods)
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, bases) and value not in bases
    }
    assert layers == set(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_keep_every_argument(name):
    layer = LAYERS[name]()
    config, again = (
        layer.get_config(),
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer)),
    )
    for argument, parameter in inspect.signature(type(layer).__init__).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD and argument != "self":
            assert getattr(again, argument) == config[argument]
            assert config[argument] != parameter.default, f"{argument} is tested at its default"


def test_models_keep_every_argument(model):
    config = model.get_config()
    for argument, parameter in inspect.signature(type(model).__init__).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD and argument != "self":
            assert argument in config
    again = type(model).from_config(config)
    assert again.get_config() == config


def test_signatures_are_as_declared(model):
    signatures = model.signatures()
    assert {"sample"} <= set(signatures)
    for name, signature in signatures.items():
        assert name == signature.name
        assert signature.description
        for spec in (*signature.inputs, *signature.outputs):
            assert np.dtype(spec.dtype).kind != "i" or spec.range is not None


def test_samples_are_images_and_depend_on_the_seed_alone(model):
    first = model.sample(5, seed=3)
    assert isinstance(first, np.ndarray)
    assert first.dtype == np.float32
    assert first.shape == (5, *model.image_shape)
    assert 0 <= first.min() <= first.max() <= 1
    np.testing.assert_array_equal(first, model.sample(5, seed=3))
    assert not np.array_equal(first, model.sample(5, seed=4))
    np.testing.assert_allclose(first, model.run("sample", n=5, seed=3)["image"], atol=1e-6)


def test_many_samples_come_in_batches_and_are_the_same(model):
    many = model.sample(300, seed=0)
    np.testing.assert_allclose(many[:7], model.sample(7, seed=0), atol=1e-6)


def test_keras_file_round_trip_keeps_samples_and_optimizer(model, tmp_path):
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(images(model), batch_size=4, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.sample(4), model.sample(4))
    assert int(again.optimizer.iterations) == 3
    for one, other in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    again.fit(images(model), batch_size=4, epochs=1, verbose=0)


def test_a_fresh_process_loads_a_keras_file(model, tmp_path):
    model.save(tmp_path / "model.keras")
    code = "import sys, numpy, zoo; numpy.save(sys.argv[2], zoo.load_model(sys.argv[1]).sample(3))"
    arguments = [str(tmp_path / "model.keras"), str(tmp_path / "samples.npy")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "samples.npy"), model.sample(3))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_with_one_seed_repeats_itself(model, jit_compile):
    losses = []
    for _ in range(2):
        again = type(model).from_config(model.get_config())
        again.set_weights(model.get_weights())
        again.compile(keras.optimizers.SGD(1e-4), jit_compile=jit_compile)
        history = again.fit(images(model), batch_size=4, epochs=2, verbose=0, shuffle=False)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)


def test_mixed_bfloat16_trains_and_samples_float32():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        for make in MODELS.values():
            model = make()
            model.compile("adam")
            history = model.fit(images(model), batch_size=4, epochs=1, verbose=0)
            assert np.isfinite(history.history["loss"]).all()
            assert model.sample(2).dtype == np.float32
    finally:
        keras.config.set_dtype_policy(before)


def test_bad_arguments_of_sample(model):
    for arguments, message in (
        ({"n": 0}, "n is 0"),
        ({"n": 2.5}, "n is 2.5"),
        ({"n": 1, "seed": -1}, "seed is -1"),
        ({"n": 1, "label": 3}, "takes no label"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            model.sample(**arguments)


def test_fit_refuses_what_it_cannot_use(model):
    model.compile("adam")
    good = images(model)
    with pytest.raises(zoo.ZooError, match="uint8"):
        model.fit((good * 255).astype(np.uint8))
    with pytest.raises(zoo.ZooError, match=r"validation_data.*divide by 255"):
        model.fit(good, validation_data=good * 255)
    with pytest.raises(zoo.ZooError, match="leave loss out"):
        model.compile("adam", loss="mse")


def test_summary_and_mlp_networks(model, capsys):
    model.summary()
    assert "Total params" in capsys.readouterr().out
    assert mlp_decoder(2, (4, 4, 3))(mlp_encoder((4, 4, 3), (8, 2))(np.zeros((1, 4, 4, 3)))).shape == (1, 4, 4, 3)
