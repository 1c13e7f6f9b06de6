"""What keeps a model from being exported is said before it is trained, with the layer and what to do."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from example_models import MODELS

import export
import zoo
from export import onnx
from export import ops as handlers
from export.obstacles import layer_names
from export.ops.build import Builder
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


def energies(*layers: keras.layers.Layer, channels: int = 1) -> zoo.EBM:
    images = keras.Input((8, 6, channels))
    return zoo.EBM(keras.Model(images, keras.Sequential([*layers, keras.layers.Dense(1)])(images)))


def test_gradients_that_tensorflow_cannot_take_apart_are_obstacles(tmp_path):
    model = energies(keras.layers.Reshape((8, 6)), keras.layers.LSTM(4, name="memory"))
    signature = model.signatures()["score"]
    (found,) = onnx.obstacles(signature, layer_names(model))
    assert str(found).startswith(
        "signature 'score', layer memory: Variable is not turned into a constant by TensorFlow ("
    )
    with pytest.raises(export.ExportError, match=r"leave the signature out, or use other layers\.$"):
        export.save(model, tmp_path / "bundle", "onnx", signatures=["score"])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("outside", ["loop", "branch"])
def test_gradients_of_loops_inside_of_others_are_obstacles(outside):
    weights = tf.Variable(tf.eye(3))

    def loop(body, x):
        return tf.while_loop(lambda i, _: i < 2, lambda i, z: (i + 1, body(z)), (0, x))[1]

    def gradient(body, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(loop(body, x) ** 2)
        return tape.gradient(y, x)

    def function(x):
        known = weights.value()
        if outside == "loop":
            return {"y": loop(lambda z: gradient(lambda each: tf.tanh(each @ known), z), x)}
        inner = lambda: gradient(lambda each: tf.tanh(each) * 0.7, x)  # noqa: E731
        return {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: tf.tanh(x), inner)}

    specs = (NamedTensor("x", ("batch", 3)),), (NamedTensor("y", ("batch", 3)),)
    found = onnx.obstacles(Signature("go", function, *specs))
    assert {each.op for each in found} & {"Variable", "TensorListPopBack"} and all(each.remedy for each in found)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv3D(2, 1, (3, 1, 1), padding="same"),
        keras.layers.MaxPooling3D((1, 2, 2), (3, 2, 2), padding="same"),
    ],
)
def test_windows_that_begin_inside_of_volumes_are_obstacles(layer):
    images = keras.Input((None, 8, 8, 2))
    (found,) = export.check_exportable(keras.Model(images, layer(images)))
    assert "begin inside of a volume" in found.reason and found.layers == (layer.name,)


def test_kernels_of_unknown_sizes_begin_at_the_first_pixel():
    specs = (NamedTensor("image", ("batch", "d", "h", "w", 3)), NamedTensor("kernel", ("kd", "kh", "kw", 3, 2)))
    function = lambda image, kernel: {"y": tf.nn.conv3d(image, kernel, [1] * 5, "SAME")}  # noqa: E731
    output = NamedTensor("y", ("batch", "d", "h", "w", 2))
    assert onnx.obstacles(Signature("go", function, specs, (output,))) == []


def test_gradients_of_convolutions_in_groups_are_exported(tmp_path):
    model = energies(keras.layers.Conv2D(4, 3, groups=2), keras.layers.Flatten(), channels=2)
    manifest = export.save(model, tmp_path / "bundle", signatures=["energy", "score"])
    assert set(manifest["parity"]["score"]) == {"saved_model", "onnx"}


def test_functions_that_xla_compiles_and_autograph_writes_are_obstacles():
    @tf.function(jit_compile=True)
    def positive(x):
        return x if tf.reduce_sum(x) > 0 else -x

    class Compiled(keras.layers.Layer):
        def call(self, x):
            return positive(x)

    (found,) = export.check_exportable(chain(Compiled(name="compiled")))
    assert (found.op, found.layers) == ("PartitionedCall", ("compiled",))
    assert "leave jit_compile out" in found.remedy


class Double(keras.layers.Layer):
    """Numbers of which ONNX Runtime has no kernel: a convolution in float64."""

    def call(self, x):
        return tf.nn.conv1d(x[:, :, None], tf.ones((2, 1, 1), x.dtype), 1, "VALID")


def test_what_onnx_runtime_refuses_is_an_obstacle(tmp_path):
    model = keras.Sequential([keras.Input((4,), dtype="float64"), Double(dtype="float64", name="double")])
    (found,) = export.check_exportable(model)
    assert (found.op, found.signature) == ("ONNX Runtime", "call")
    with pytest.raises(export.ExportError, match=r"'call'.*: ONNX Runtime refuses the graph: .*Conv.*another dtype\.$"):
        export.save(model, tmp_path / "bundle", "onnx")


def test_what_the_checker_refuses_is_an_obstacle(monkeypatch):
    class Wrong(keras.layers.Layer):
        def call(self, x):
            return tf.math.erfc(x)

    def wrong(graph, node):
        build = Builder(graph, node)
        build.replace(build.op("Erf", *build.inputs, *build.inputs))

    monkeypatch.setitem(handlers._HANDLERS, "Erfc", wrong)
    (found,) = export.check_exportable(chain(Wrong()))
    assert (found.op, found.signature) == ("The ONNX checker", "call")
    assert "Erf" in found.reason and "Use other ops" in found.remedy


def test_weights_that_tensorflow_does_not_freeze_are_an_obstacle(monkeypatch, tmp_path):
    model = chain(keras.layers.Dense(3))
    monkeypatch.setattr(onnx, "LARGEST", 4 * 3 * 5)
    (found,) = export.check_exportable(model)
    assert "holds too much" in found.reason and "--formats saved_model" in found.remedy
    export.save(model, tmp_path / "bundle", "saved_model")


def test_casts_to_bfloat16_are_an_obstacle():
    class Rounded(keras.layers.Layer):
        def call(self, x):
            return keras.ops.cast(keras.ops.cast(x, "bfloat16"), "float32")

    (found,) = export.check_exportable(chain(Rounded(name="rounded")))
    assert (found.op, found.layers) == ("bfloat16", ("rounded",)) and "dtype policy" in found.remedy


def test_models_of_mixed_precision_are_checked_as_they_are_exported():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype="mixed_bfloat16")])
    assert export.check_exportable(model) == []


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: {"y": float(x[0])}, "TensorFlow ops"),
        (lambda x: {"y": x.numpy()}, "TensorFlow ops"),
        (lambda x: {"z": x}, "outputs that the signature declares"),
    ],
    ids=["float", "numpy", "z"],
)
def test_what_fails_in_a_graph_is_an_obstacle(function, words):
    numbers = (NamedTensor("x", ("batch",)),), (NamedTensor("y", ("batch",)),)
    (found,) = onnx.obstacles(Signature("odd", function, *numbers))
    assert found.op == "The graph" and words in found.remedy


def test_python_and_tables_are_obstacles():
    resized = keras.layers.UpSampling2D(interpolation="bilinear")
    (found,) = export.check_exportable(keras.Sequential([keras.Input((None, None, 1)), resized]))
    assert "give keras.Input the sizes of its axes" in found.remedy
    table = keras.layers.IntegerLookup(vocabulary=[1, 2, 5])
    assert export.check_exportable(keras.Sequential([keras.Input((3,), dtype="int64"), table]))


def test_an_output_of_another_dtype_than_declared_is_an_obstacle(tmp_path):
    largest = keras.layers.Lambda(lambda x: tf.argmax(x, axis=-1))  # which Keras takes for float32
    (found,) = export.check_exportable(chain(largest))
    assert str(found).startswith("signature 'call': Output 'output' is int64, declared is float32. Cast it")
    with pytest.raises(export.ExportError, match=r"dtype int64, declared is float32\. Cast it"):
        export.save(chain(largest), tmp_path / "bundle")
    inputs = keras.Input((4,))
    told = keras.Model(inputs, keras.ops.argmax(inputs, axis=-1))
    assert export.save(told, tmp_path / "bundle", "onnx")["signatures"]["call"]["outputs"][0]["dtype"] == "int32"


def test_the_layer_is_named_whose_variable_changes_or_that_fails_in_a_graph():
    class Counter(keras.layers.Layer):
        def build(self, _):
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.calls.assign_add(1.0)
            return x * self.calls

    (found,) = export.check_exportable(chain(Counter(name="counting")))
    assert (found.op, found.layers) == ("A variable", ("counting",))
    images = keras.Input((None, None, 1))
    enlarged = keras.Model(images, keras.layers.UpSampling2D(interpolation="bilinear")(images))
    (found,) = export.check_exportable(enlarged)
    assert ", in UpSampling2D)" in found.reason


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
    for name in ("vae_digits", "classifier_mnist"):  # a recipe, and a preset that generates nothing
        assert cli("lint", name).out == f"{name}: all signatures convert to ONNX\n"
    file = tmp_path / "solved.keras"
    inputs = keras.Input((4, 4))
    keras.Model(inputs, keras.ops.inv(inputs)).save(file)
    result = cli("lint", file)
    assert result.code == 1
    assert "MatrixInverse has no counterpart" in result.out
    assert json.loads(cli("lint", file, "--json").out)[0]["op"] == "MatrixInverse"
    chain(Noise()).save(file)
    assert "holds the class Noise, which this process does not know" in cli("lint", file).error


def test_errors_of_handlers_are_shown(monkeypatch):
    class Wrong(keras.layers.Layer):
        def call(self, x):
            return tf.math.erfc(x)

    def failing(graph, node):
        raise KeyError(f"{node.type} of {type(graph).__name__}")

    monkeypatch.setitem(handlers._HANDLERS, "Erfc", failing)
    (found,) = export.check_exportable(chain(Wrong(name="wrong")))
    assert (found.op, found.layers) == ("Erfc", ("wrong",))
    assert "its handler fails with KeyError('Erfc of Graph')" in found.reason


def test_loops_that_do_not_convert_are_named_with_a_remedy():
    class Scanned(keras.layers.Layer):
        def call(self, x):
            return tf.transpose(tf.scan(lambda a, b: a * 0.5 + b, tf.transpose(x, [1, 0, 2])), [1, 0, 2])

    model = keras.Sequential([keras.Input((5, 2)), Scanned()])
    (found,) = export.check_exportable(model)
    assert found.op in ("While", "StatelessWhile")
    assert "tf.scan with an initializer" in found.remedy


def test_dtypes_that_have_no_ops_are_named():
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(8, name="small")])
    model.quantize("float8")
    (found,) = [each for each in export.check_exportable(model) if each.op == "float8_e4m3fn"]
    assert found.layers == ("small",) and "as it was before quantize" in found.remedy


def test_a_handler_that_forgets_to_replace_the_node_is_named(monkeypatch):
    monkeypatch.setitem(handlers._HANDLERS, "Erfc", Builder)
    (found,) = export.check_exportable(keras.Sequential([keras.Input((4,)), keras.layers.Activation(tf.math.erfc)]))
    assert found.op == "Erfc" and "its handler leaves it in the graph" in found.reason


@pytest.mark.parametrize("opset", [18.0, np.int64(18)])
def test_opsets_are_integers(opset, small_vae, tmp_path):
    with pytest.raises(export.ExportError, match="expected an integer from 13"):
        export.save(small_vae, tmp_path / "bundle", opset=opset)


def test_what_a_newer_opset_has_is_said_to_be_there(tmp_path):
    inputs = keras.Input((5,))
    model = keras.Model(inputs, keras.ops.argmax(inputs, axis=-1))
    with pytest.raises(export.ExportError, match=r"BitwiseAnd has no counterpart in ONNX before opset 18"):
        export.save(model, tmp_path / "bundle", "onnx", opset=17)
    export.save(model, tmp_path / "bundle", "onnx", opset=18)
