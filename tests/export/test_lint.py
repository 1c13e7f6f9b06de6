"""What keeps a model from being exported is said before it is trained, with the layer and what to do."""

import json

import keras
import pytest
import tensorflow as tf
from example_models import MODELS

import export
import zoo
from zoo.signature import NamedTensor, Signature


class Noise(keras.layers.Layer):
    def call(self, inputs):
        return inputs + tf.random.uniform(tf.shape(inputs))


class Spectrum(keras.layers.Layer):
    def call(self, inputs):
        return inputs + tf.linalg.svd(inputs[:, :, None], compute_uv=False)


class Script(keras.layers.Layer):
    def call(self, inputs):
        return tf.ensure_shape(tf.numpy_function(lambda x: x, [inputs], tf.float32), inputs.shape)


class Beside(keras.layers.Layer):
    """A diagonal that a handler refuses: one beside the main one."""

    def call(self, inputs):
        return tf.reduce_sum(tf.linalg.diag(inputs, k=1), 1)


def chain(*layers: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="first"), *layers])


@pytest.mark.parametrize("name", ["GAN", "VAE", "EBM"])
def test_models_of_the_zoo_have_no_obstacles(name):
    assert export.check_exportable(MODELS[name]()) == []


@pytest.mark.parametrize(
    ("layer", "op", "words"),
    [
        (Noise(name="noise"), "RandomUniformLike", "without a seed.*zoo.random"),
        (Spectrum(name="spectrum"), "Svd", "no counterpart.*products and sums"),
        (Script(name="script"), "PyFunc", "no counterpart.*Python"),
        (Beside(name="beside"), "MatrixDiagV3", r"only main diagonals are exported\)\. Use other ops"),
    ],
)
def test_an_obstacle_names_op_layer_and_remedy(layer, op, words, tmp_path):
    model = keras.Sequential([keras.Input((4,)), chain(layer)])
    (found,) = export.check_exportable(model)
    assert (found.signature, found.op, found.layers) == ("call", op, (layer.name,))
    with pytest.raises(export.ExportError, match=f"layer {layer.name}: {op} .*{words}"):
        export.save(model, tmp_path / "bundle", ["onnx"])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("layers", "where"),
    [
        ([keras.layers.Reshape((8, 6)), keras.layers.LSTM(4, name="memory")], ", layer memory"),
        ([keras.layers.Conv2D(4, 3, groups=2), keras.layers.Flatten()], ""),
    ],
    ids=["recurrent", "groups"],
)
def test_gradients_that_tensorflow_cannot_take_apart_are_obstacles(layers, where, tmp_path):
    images = keras.Input((8, 6, 2 if where == "" else 1))
    model = zoo.EBM(keras.Model(images, keras.Sequential([*layers, keras.layers.Dense(1)])(images)))
    (found,) = [obstacle for obstacle in export.check_exportable(model) if obstacle.signature == "score"]
    assert str(found).startswith(f"signature 'score'{where}: Variable is not turned into a constant by TensorFlow (")
    with pytest.raises(export.ExportError, match=r"leave the signature out, or use others\.$"):
        export.save(model, tmp_path / "bundle", "onnx", signatures=["score"])
    assert not any(tmp_path.iterdir())


def test_all_obstacles_are_named_at_once():
    found = export.check_exportable(chain(Spectrum(name="one"), Noise(), Spectrum(name="two")))
    assert {each.op: each.layers for each in found}["Svd"] == ("one", "two")
    assert len(found) == 2


def test_draws_inside_loops_are_seen():
    def walked(x):
        return {"y": tf.while_loop(lambda x: tf.reduce_sum(x) < 9, lambda x: (x + tf.random.uniform([]),), (x,))[0]}

    class Walk(keras.Model):
        def signatures(self):
            return {"walk": Signature("walk", walked, (NamedTensor("x", ("batch",)),), (NamedTensor("y", ("batch",)),))}

    (found,) = export.check_exportable(Walk())
    assert "without a seed" in found.reason


def test_the_command_line(cli, tmp_path):
    assert cli("lint", "vae_digits").out == "vae_digits: all signatures convert to ONNX\n"
    file = tmp_path / "solved.keras"
    inputs = keras.Input((4, 4))
    keras.Model(inputs, keras.ops.inv(inputs)).save(file)
    result = cli("lint", file)
    assert result.code == 1
    assert "MatrixInverse has no counterpart" in result.out
    assert json.loads(cli("lint", file, "--json").out)[0]["op"] == "MatrixInverse"
