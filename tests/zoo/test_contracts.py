"""What every public model and layer keeps to. A model that is not listed here fails the suite."""

import inspect
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from example_models import MODELS, fit, images

import zoo
from zoo.model import GenerativeModel
from zoo.networks import mlp_decoder, mlp_encoder
from zoo.training import batches_taken
from zoo.vae import likelihoods, posteriors, priors, quantizers

LAYERS = {
    "DiagonalNormal": lambda: posteriors.DiagonalNormal(3),
    "FullCovarianceNormal": lambda: posteriors.FullCovarianceNormal(3),
    "InverseAutoregressiveFlow": lambda: posteriors.InverseAutoregressiveFlow(3, flows=1, hidden=(8, 6)),
    "FiniteScalarQuantizer": lambda: quantizers.FiniteScalarQuantizer((3, 4)),
    "VectorQuantizer": lambda: quantizers.VectorQuantizer(6, 0.9, 1e-3, 7),
    "StandardNormal": lambda: priors.StandardNormal(3),
    "AutoregressiveFlow": lambda: priors.AutoregressiveFlow(3, flows=1, hidden=(8, 6)),
    "CouplingFlow": lambda: priors.CouplingFlow(3, flows=1, hidden=(8, 6)),
    "GaussianMixture": lambda: priors.GaussianMixture(3, components=2, covariance="full"),
    "VampPrior": lambda: priors.VampPrior(3, components=7, mean=0.3),
    "Bernoulli": lambda: likelihoods.Bernoulli(binarize="threshold"),
    "Categorical": lambda: likelihoods.Categorical(levels=17),
    "ContinuousBernoulli": lambda: likelihoods.ContinuousBernoulli(),
    "DiscretizedLogisticMixture": lambda: likelihoods.DiscretizedLogisticMixture(components=3, levels=17),
    "Normal": lambda: likelihoods.Normal(scale=0.3, learned=True),
    "Normal, per pixel": lambda: likelihoods.Normal(scale=0.3, per_pixel=True),
}
# What trains as another does, but for terms of its loss.
VARIANTS = (
    "BetaTCVAE",
    "BetaVAE",
    "ConditionalGAN, classifier",
    "ConditionalVAE",
    "EBM, score matching",
    "IWAE",
    "InfoVAE",
)


# Of what takes long, those that do as others do are left to make test-slow.
DISTINCT = [pytest.param(name, marks=pytest.mark.slow) if name in VARIANTS else name for name in MODELS]


@pytest.fixture(params=MODELS)
def model(request) -> GenerativeModel:
    return MODELS[request.param]()


def test_every_public_model_and_layer_is_covered():
    public = {
        name
        for name in zoo.__all__
        if inspect.isclass(getattr(zoo, name)) and issubclass(getattr(zoo, name), GenerativeModel)
    }
    assert public - {"GenerativeModel"} == {name.partition(",")[0] for name in MODELS}
    bases = (posteriors.Posterior, priors.Prior, likelihoods.Likelihood, quantizers.Quantizer)
    layers = {
        name
        for module in (posteriors, priors, likelihoods, quantizers)
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, bases) and value not in bases
    }
    assert layers == {name.partition(",")[0] for name in LAYERS}


def arguments_of(layer: type) -> dict[str, inspect.Parameter]:
    """The arguments of a layer that are not Keras's own, which are keyword-only."""
    parameters = inspect.signature(layer.__init__).parameters
    return {name: value for name, value in parameters.items() if value.kind is value.POSITIONAL_OR_KEYWORD}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_keep_every_argument(name):
    layer = LAYERS[name]()
    config, again = (
        layer.get_config(),
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer)),
    )
    for argument in arguments_of(type(layer)).keys() - {"self"}:
        assert getattr(again, argument) == config[argument]


@pytest.mark.parametrize("kind", sorted({type(make()) for make in LAYERS.values()}, key=lambda kind: kind.__name__))
def test_layers_are_tested_with_every_argument_away_from_its_default(kind):
    layers = [make() for name, make in LAYERS.items() if name.partition(",")[0] == kind.__name__]
    for argument, parameter in arguments_of(kind).items():
        if argument != "self":
            assert any(layer.get_config()[argument] != parameter.default for layer in layers), argument


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
    asked = {"n": 5} if model.num_classes is None else {"label": np.arange(5) % model.num_classes}
    np.testing.assert_allclose(first, model.run("sample", seed=3, **asked)["image"], atol=1e-6)


def test_many_samples_come_in_batches_and_are_the_same(model):
    many = model.sample(300, seed=0)
    np.testing.assert_allclose(many[:7], model.sample(7, seed=0), atol=1e-6)


def test_samples_that_do_not_fit_into_memory_are_refused(model):
    with pytest.raises(zoo.ZooError, match=r"10,000,000,000 images take .* GB, more than the .* Ask for fewer"):
        model.sample(10**10)


@pytest.mark.parametrize("model", DISTINCT, indirect=True)
def test_keras_file_round_trip_keeps_samples_and_optimizer(model, tmp_path):
    model.compile(keras.optimizers.Adam(1e-3))
    fit(model, epochs=1)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.sample(4), model.sample(4))
    assert int(again.optimizer.iterations) == 3
    for one, other in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    fit(again, epochs=1)


@pytest.mark.parametrize("verb", ["encode", "discriminate"])
def test_a_file_read_under_another_policy_gives_what_it_gave(model, verb, tmp_path):
    if verb not in model.signatures():
        pytest.skip(f"{type(model).__name__} has no {verb}")
    given = {"image": images(model)[:3], **({"label": np.zeros(3, np.int64)} if model.num_classes else {})}
    given = {
        name: value for name, value in given.items() if name in {spec.name for spec in model.signatures()[verb].inputs}
    }
    model.save(tmp_path / "model.keras")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        again = zoo.load_model(tmp_path / "model.keras")
    finally:
        keras.config.set_dtype_policy(before)
    for name, value in model.run(verb, **given).items():
        np.testing.assert_array_equal(again.run(verb, **given)[name], value)


def test_a_fresh_process_loads_keras_files(tmp_path):
    expected = {}
    for name, make in MODELS.items():
        model = make()
        model.save(tmp_path / f"{name}.keras")
        expected[name] = model.sample(3)
    code = (
        "import sys, pathlib, numpy, zoo\n"
        "for file in pathlib.Path(sys.argv[1]).glob('*.keras'):\n"
        "    numpy.save(file.with_suffix('.npy'), zoo.load_model(file).sample(3))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    for name, samples in expected.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), samples)


@pytest.mark.parametrize("model", DISTINCT, indirect=True)
@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_training_with_one_seed_repeats_itself(model, jit_compile):
    losses = []
    for _ in range(2):
        again = type(model).from_config(model.get_config())
        again.set_weights(model.get_weights())
        again.compile(keras.optimizers.SGD(1e-4), jit_compile=jit_compile)
        losses.append(fit(again, epochs=2, shuffle=False)["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)


@pytest.mark.slow
def test_mixed_bfloat16_trains_and_samples_float32():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        for make in MODELS.values():
            model = make()
            model.compile("adam")
            assert np.isfinite(fit(model, epochs=1)["loss"]).all()
            assert model.sample(2).dtype == np.float32
    finally:
        keras.config.set_dtype_policy(before)


def test_bad_arguments_of_sample(model):
    for arguments, message in (
        ({"n": 0}, "n is 0"),
        ({"n": 2.5}, "n is 2.5"),
        ({"n": 1, "seed": -1}, "seed is -1"),
        ({"n": 1, "label": 3}, "takes no label" if model.num_classes is None else "expected 0 to 2"),
        ({"n": 1, "temperature": -1.0}, "temperature is -1.0"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            model.sample(**arguments)


def test_fit_refuses_what_it_cannot_use(model):
    model.compile("adam")
    good = images(model)
    labels = None if model.num_classes is None else np.arange(12) % model.num_classes
    with pytest.raises(zoo.ZooError, match="uint8"):
        model.fit((good * 255).astype(np.uint8), labels)
    with pytest.raises(zoo.ZooError, match=r"validation_data.*divide by 255"):
        model.fit(good, labels, validation_data=good * 255 if labels is None else (good * 255, labels))
    with pytest.raises(zoo.ZooError, match="leave loss out"):
        model.compile("adam", loss="mse")
    with pytest.raises(zoo.ZooError, match=r"no optimizer 'adamm'. Did you mean 'adam'"):
        model.compile("adamm")


def test_summary_and_mlp_networks(model, capsys):
    model.summary()
    assert "Total params" in capsys.readouterr().out
    assert mlp_decoder(2, (4, 4, 3))(mlp_encoder((4, 4, 3), (8, 2))(np.zeros((1, 4, 4, 3)))).shape == (1, 4, 4, 3)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float32"])
@pytest.mark.parametrize("name", DISTINCT)
def test_a_file_loads_under_another_dtype_policy(name, policy, tmp_path):
    """Layers keep the policy that they were made under, those inside of other layers too."""
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        made = MODELS[name]()
        made.save(tmp_path / "model.keras")
        expected = made.sample(3, seed=0)
        keras.config.set_dtype_policy("float32" if policy == "mixed_bfloat16" else "mixed_bfloat16")
        np.testing.assert_allclose(zoo.load_model(tmp_path / "model.keras").sample(3, seed=0), expected, atol=1e-5)
    finally:
        keras.config.set_dtype_policy(before)


def test_accumulated_steps_draw_noise_of_their_own():
    model = MODELS["VAE"]()
    model.compile(keras.optimizers.SGD(1e-3, gradient_accumulation_steps=4))
    seeds = []
    for _ in range(6):
        seeds.append(int(model._step_seed(batches_taken(model.optimizer), 0)))
        model.train_step(tf.constant(images(model)))
    assert len(set(seeds)) == 6


def test_light_images_are_evaluated_with_noise_of_their_own():
    model, drawn = MODELS["VAE"](), []
    model.compile()
    keep = model.objective

    def noted(images, seed, training, *labels):
        drawn.append(int(seed))
        return keep(images, seed, training, *labels)

    model.objective = noted
    for _ in range(3):
        model.test_step((tf.constant(images(model)), None, tf.fill([12], 0.01)))
    assert len(set(drawn)) == 3


@pytest.mark.parametrize("name", MODELS)
def test_weights_of_images_are_exact_or_refused(name):
    """An image of weight 0 has no say in the gradient."""
    model = MODELS[name]()
    labels = None if model.num_classes is None else tf.range(12) % model.num_classes
    model.compile(*([] if isinstance(model, zoo.GAN) else [keras.optimizers.SGD(0.1)]))
    weights = tf.constant([1.0] * 6 + [0.0] * 6)
    batch = tf.constant(images(model))
    if isinstance(model, zoo.GAN) or model.averages_over is not None:
        with pytest.raises(zoo.ZooError, match="leave"):
            model.train_step((batch, labels, weights))
        return
    other = tf.concat([batch[:6], 1 - batch[6:]], axis=0)
    start, ends = model.get_weights(), []
    for given in (batch, other):
        model.set_weights(start)
        model.optimizer._iterations.assign(0)
        model.train_step((given, labels, weights))
        ends.append(model.get_weights())  # those that learn without a gradient too
    for one, again in zip(*ends, strict=True):
        np.testing.assert_allclose(one, again, atol=1e-6)


def test_a_list_of_callbacks_of_ones_own_keeps_the_checks():
    model = MODELS["VAE"]()
    model.compile()
    batches = tf.data.Dataset.from_tensor_slices(np.concatenate([images(model), images(model) - np.nan])).batch(12)
    callbacks = keras.callbacks.CallbackList([], model=model, add_history=True, epochs=1, verbose=0)
    with pytest.raises(zoo.ZooError, match="training stopped at batch 2"):
        model.fit(batches, callbacks=callbacks, verbose=0)
