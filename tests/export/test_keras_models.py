"""Models as Keras users write them, which declare nothing for an export, and what is said where one cannot be."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import Input, Model, Sequential, layers, ops

import export
from export.signatures import signatures_of
from zoo.signature import NamedTensor, Signature


def inverted_residual(x: keras.KerasTensor, filters: int, strides: int) -> keras.KerasTensor:
    """A block of MobileNetV2 (Sandler et al. 2018)."""
    y = layers.Conv2D(2 * x.shape[-1], 1, use_bias=False)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    if strides == 2:
        y = layers.ZeroPadding2D(((0, 1), (0, 1)))(y)
    y = layers.DepthwiseConv2D(3, strides, "same" if strides == 1 else "valid", use_bias=False)(y)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)(y))
    return layers.Add()([x, y]) if strides == 1 and x.shape[-1] == filters else y


def mobile() -> Model:
    images = Input((17, 15, 3))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(4, 3, 2, "same", use_bias=False)(images)))
    for filters, strides in ((6, 2), (6, 1)):
        x = inverted_residual(x, filters, strides)
    return Model(images, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def transformer() -> Model:
    words = Input((None,), dtype="int32")
    x = layers.Embedding(20, 8, mask_zero=True)(words)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))
    x = layers.LayerNormalization()(x + layers.Dense(8)(layers.Dense(16, activation="gelu")(x)))
    return Model(words, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def several() -> Model:
    left, right = Input((4,), name="left"), Input((5, 2), name="right")
    x = layers.Concatenate()([layers.Dense(3)(left), layers.Flatten()(right)])
    outputs = {"class": layers.Dense(2, activation="softmax")(x), "place": ops.argmax(x, axis=-1)}
    return Model({"left": left, "right": right}, outputs)


def unet(height: int | None, width: int | None) -> Model:
    def double(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.Conv2D(4, 3, padding="same", activation="relu")(x)

    images = Input((height, width, 1))
    whole = double(images)
    half = double(layers.MaxPooling2D()(whole))
    quarter = double(layers.MaxPooling2D()(half))
    half = double(layers.Concatenate()([layers.UpSampling2D()(quarter), half]))
    return Model(images, layers.Conv2D(2, 1)(layers.Concatenate()([layers.UpSampling2D()(half), whole])))


def chain(*each: layers.Layer, shape: tuple[int | None, ...] = (6, 5, 2), **how: str) -> Model:
    return Sequential([Input(shape, **how), *each])


def sums(*shapes: tuple[int | None, ...]) -> Model:
    inputs = [Input(shape) for shape in shapes]
    return Model(inputs, layers.Add()(inputs))


def normalized() -> Model:
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(3, 2, (20, 4)))
    return chain(layer, layers.Normalization(mean=1.0, variance=2.0), shape=(4,))


class Constants(layers.Layer):
    """Tensors that are no weights, outside and inside of a loop, and a variable that Keras does not know."""

    def build(self, shape):
        self.scale, self.shift = tf.constant(np.arange(shape[-1], dtype=np.float32)), ops.arange(shape[-1])
        self.kept = [tf.Variable(0.5)]

    def call(self, x):
        step = lambda i, y: (i + 1, y * self.scale - ops.cast(self.shift, y.dtype))  # noqa: E731
        return tf.while_loop(lambda i, _: i < 3, step, (0, x + self.scale))[1] * self.kept[0]


@keras.saving.register_keras_serializable("tests")
class Drawn(layers.Layer):
    """A tensor that is drawn when the layer is built, and no weight."""

    def build(self, shape):
        self.scale = tf.random.normal([shape[-1]])

    def call(self, x):
        return x * ops.cast(self.scale, x.dtype)


def attention_pooling() -> Model:
    lines = Input((None, 2))
    weights = layers.Permute((2, 1))(layers.Dense(1)(lines))
    return Model(lines, layers.Flatten()(ops.matmul(ops.softmax(weights), lines)))


class Mixed(layers.Layer):
    """Channels by an equation whose dots are three axes, in four letters."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 4))

    def call(self, x):
        return ops.einsum("...i,ij->...j", x, self.kernel)


class Skipping(layers.Layer):
    """A dilated convolution of TensorFlow's own, which Keras writes otherwise."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(3, 2, shape[-1], 4))

    def call(self, x):
        return tf.nn.conv2d(x, self.kernel, 1, "SAME", dilations=2)


class Switched(layers.Layer):
    """A branch that gives a constant."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 200))

    def call(self, x):
        scale = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.constant(1.0), lambda: tf.constant(0.5))
        return ops.matmul(x, self.kernel) * scale


VOLUMES = (8, 8, 6, 1)
MODELS = {
    "depthwise convolutions and batch normalization": mobile,
    "transformer": transformer,
    "recurrent": lambda: chain(layers.LSTM(4, return_sequences=True), layers.GRU(3), shape=(7, 3)),
    "bidirectional units with gates": lambda: chain(layers.Bidirectional(layers.GRU(4)), shape=(7, 3)),
    "bidirectional": lambda: chain(layers.Bidirectional(layers.LSTM(4)), shape=(None, 3)),
    "convolutions of lines": lambda: chain(
        layers.Conv1D(4, 3, padding="causal", dilation_rate=2),
        layers.BatchNormalization(),
        layers.MaxPooling1D(),
        layers.SeparableConv1D(4, 3),
        layers.Conv1DTranspose(2, 3, strides=2, padding="same"),
        layers.GlobalMaxPooling1D(),
        shape=(20, 3),
    ),
    "convolutions of volumes": lambda: chain(
        layers.Conv3D(4, 3, padding="same"),
        layers.BatchNormalization(),
        layers.MaxPooling3D(),
        layers.Conv3DTranspose(2, 3, strides=2, padding="same"),
        layers.GlobalAveragePooling3D(),
        shape=VOLUMES,
    ),
    "embedding": lambda: chain(layers.Embedding(30, 4), layers.Flatten(), layers.Dense(2), shape=(6,), dtype="int64"),
    "masking": lambda: chain(layers.Masking(), layers.LSTM(4), layers.Dense(2), shape=(6, 3)),
    "several inputs and outputs": several,
    "U-Net": lambda: unet(16, 12),
    "U-Net of images of any size": lambda: unet(None, None),
    "group normalization": lambda: chain(layers.Conv2D(4, 3), layers.GroupNormalization(2), layers.Activation("silu")),
    "augmentation": lambda: chain(
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
        layers.GaussianNoise(0.1),
        layers.Dropout(0.5),
        layers.Flatten(),
    ),
    "convolutions in groups": lambda: chain(
        layers.Conv2D(6, 3, 2, "same", groups=2), layers.Conv2D(4, 2, groups=2), shape=(9, 8, 4)
    ),
    "normalization": normalized,
    "constants": lambda: chain(Constants(), shape=(4,)),
    "transposed convolution of a dense layer's": lambda: chain(
        layers.Dense(3), layers.Conv2DTranspose(2, 3, strides=2, padding="same")
    ),
    "transposed convolution, strides above the kernel": lambda: chain(layers.Conv2DTranspose(2, 2, strides=3)),
    "transposed convolution, padding at the end": lambda: chain(
        layers.Conv2DTranspose(2, 3, strides=2, output_padding=1)
    ),
    "images of one channel and any size": lambda: chain(
        layers.Conv2D(4, 3, padding="same"), layers.Conv2D(1, 3, padding="same"), shape=(None, None, 1)
    ),
    "pooling of images of any size": lambda: chain(layers.MaxPooling2D(), shape=(None, None, 1)),
    "transposed convolution of images of any size": lambda: chain(
        layers.Conv2DTranspose(2, 3, strides=2, padding="same"), shape=(None, None, 2)
    ),
    "resizing": lambda: chain(layers.Conv2D(3, 3, padding="same"), layers.Resizing(5, 7), layers.Conv2D(2, 3)),
    "pooling by attention": lambda: attention_pooling(),
    "reshapes of lines of any length": lambda: chain(layers.Dense(1), layers.Permute((2, 1)), shape=(None, 2)),
    "einsum of any number of axes": lambda: chain(
        layers.Conv2D(3, 3, padding="same"), Mixed(), layers.Conv2D(2, 3, padding="same")
    ),
    "convolution that skips pixels of images of any size": lambda: chain(Skipping(), shape=(None, None, 2)),
    "sum of lines of any length": lambda: sums((None, 4), (None, 4)),
}
WHOLE = {
    "MobileNetV2": lambda: keras.applications.MobileNetV2((32, 32, 3), 0.35, weights=None, classes=3),
    "ResNet50": lambda: keras.applications.ResNet50(input_shape=(32, 32, 3), weights=None, classes=3),
}


def check(model: Model, folder, sizes: int) -> None:
    """Exports a model, and compares it on a batch of five, with free axes of a size that the export did not try."""
    manifest = export.save(model, folder)
    assert set(manifest["parity"]["call"]) == {"saved_model", "onnx"}
    generator, given = np.random.default_rng(0), {}
    for spec in manifest["signatures"]["call"]["inputs"]:
        shape = [5, *(size if isinstance(size, int) else sizes for size in spec["shape"][1:])]
        given[spec["name"]] = generator.integers(0, 3, shape).astype(spec["dtype"])
    values = list(given.values())
    packed = keras.tree.pack_sequence_as(model.input, values) if values[1:] else values[0]
    expected = keras.tree.flatten(model(packed, training=False))
    for found, value in zip(export.load(folder).run("call", **given).values(), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_models_export(name, tmp_path):
    keras.utils.set_random_seed(0)
    check(MODELS[name](), tmp_path / "bundle", 24)


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_whole_networks_export(name, tmp_path):
    keras.utils.set_random_seed(0)
    check(WHOLE[name](), tmp_path / "bundle", 24)


def test_inputs_whose_names_come_to_the_same_are_told_apart(tmp_path):
    inputs = [Input((3,), name=name) for name in ("a-b", "a_b", "a.b")]
    manifest = export.save(Model(inputs, layers.Subtract()(inputs[:2]) * inputs[2]), tmp_path / "bundle")
    assert [spec["name"] for spec in manifest["signatures"]["call"]["inputs"]] == ["a_b_", "a_b", "a_b__"]


def test_state_that_is_no_weight_is_kept_in_a_copy_in_float32(tmp_path):
    data = np.random.default_rng(0).normal(30, 2, (50, 4)).astype("float32")
    layer = layers.Normalization(dtype="mixed_bfloat16")
    layer.adapt(data)
    model = chain(layer, layers.Dense(2, dtype="mixed_bfloat16"), shape=(4,), name="x")
    export.save(model, tmp_path / "bundle")
    found = export.load(tmp_path / "bundle").run("call", x=data)["output"]
    np.testing.assert_allclose(found, model(data), atol=0.3)


@keras.saving.register_keras_serializable("tests")
class Scaled(layers.Layer):
    """Has a setting that reads like a dtype."""

    def __init__(self, how="bfloat16", **settings):
        super().__init__(**settings)
        self.how = how

    def call(self, x):
        return x * (2.0 if self.how == "bfloat16" else 3.0)

    def get_config(self):
        return {**super().get_config(), "how": self.how}


def test_settings_and_names_that_read_like_dtypes_stay(tmp_path):
    policy = keras.DTypePolicy("mixed_bfloat16")
    model = chain(Scaled(dtype=policy, name="float16"), Scaled(dtype=policy, name="bfloat16"), shape=(4,), name="x")
    export.save(model, tmp_path / "bundle")
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    np.testing.assert_allclose(export.load(tmp_path / "bundle").run("call", x=x)["output"], 4 * x, rtol=1e-6)


def test_a_model_of_mixed_precision_whose_configuration_fails(tmp_path):
    class Broken(layers.Layer):
        def get_config(self):
            raise RuntimeError("no such thing")

    with pytest.raises(export.ExportError, match=r"cannot be rebuilt in float32: no such thing. Give it get_config"):
        export.save(chain(Broken(dtype="mixed_bfloat16"), shape=(4,)), tmp_path / "bundle")


@pytest.mark.parametrize(
    "model",
    [
        lambda: chain(layers.UpSampling1D(3), shape=(None, 4), name="x"),
        lambda: chain(
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)), layers.Dense(2), shape=(None, 4), name="x"
        ),
    ],
)
def test_outputs_with_two_free_axes(model, tmp_path):
    """A pass that undid another's work kept both at it for ever."""
    model, x = model(), np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    export.save(model, tmp_path / "bundle")
    np.testing.assert_allclose(export.load(tmp_path / "bundle").run("call", x=x)["output"], model(x), atol=1e-5)


class Noisy(layers.Layer):
    """Draws as Keras's own layers do."""

    def __init__(self):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, x):
        return x + keras.random.normal(ops.shape(x), seed=self.seed_generator)


@pytest.mark.parametrize("formats", ["saved_model", "onnx"])
def test_what_one_call_leaves_to_the_next_is_refused(formats, tmp_path):
    lasting = Sequential([layers.InputLayer(batch_shape=(2, 5, 3)), layers.LSTM(3, stateful=True)])
    for model in (lasting, chain(Noisy(), shape=(4,))):
        with pytest.raises(export.ExportError, match=r"changed by a call, and the next one reads it. A file holds it"):
            export.save(model, tmp_path / "bundle", formats)
        assert "is changed by a call" in export.check_exportable(model)[0].reason


def test_a_call_that_counts_is_exported(tmp_path):
    """What it changes is nothing that it reads."""

    class Counting(layers.Layer):
        def build(self, _):
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.calls.assign_add(1.0)
            return 2 * x

    export.save(chain(Counting(), shape=(4,), name="x"), tmp_path / "bundle")


def test_an_input_called_name(tmp_path):
    x = Input((3,), name="name")
    export.save(Model(x, 2 * x), tmp_path / "bundle", "onnx")
    found = export.load(tmp_path / "bundle").run("call", name=np.ones((1, 3), ">f4"))  # of the other byte order too
    np.testing.assert_array_equal(found["output"], np.full((1, 3), 2))


@pytest.mark.parametrize("decides", [False, True])
def test_a_copy_in_float32_that_does_something_else_is_refused(decides, tmp_path):
    keras.utils.set_random_seed(0)  # of some seeds, what it draws twice decides the same for all rows
    drawn = chain(Drawn(dtype="mixed_bfloat16"), shape=(4,), name="x")
    model = Model(drawn.inputs, ops.argmax(drawn.outputs[0], axis=-1)) if decides else drawn
    with pytest.raises(export.ExportError, match=r"another 'output' of 'call'.*Make that a weight"):
        export.save(model, tmp_path / "bundle")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("bias", [0.0, 6.0])
def test_zeros_around_images_stay_zeros_where_maxima_are_taken(bias, tmp_path):
    images = np.full((2, 9, 8, 2), -10, np.float32)
    convolution = layers.Conv2D(3, 3, padding="same", bias_initializer=keras.initializers.Constant(bias))
    model = chain(convolution, layers.ZeroPadding2D(1), layers.MaxPooling2D(3, 2), shape=(9, 8, 2), name="x")
    export.save(model, tmp_path / "bundle")
    found = export.load(tmp_path / "bundle").run("call", x=images)["output"]
    np.testing.assert_allclose(found, model(images), atol=1e-4)


@pytest.mark.parametrize(
    ("pool", "axes"),
    [
        (layers.MaxPooling2D(1, 2, padding="same"), 2),
        (layers.AveragePooling2D((1, 2), 2, padding="same"), 2),
        (layers.MaxPooling2D((1, 3), (3, 2), padding="same"), 2),
        (layers.MaxPooling1D(1, 3, padding="same"), 1),
    ],
)
def test_windows_that_leave_pixels_out_pool_images_of_any_size(pool, axes, tmp_path):
    images = Input((*[None] * axes, 3), name="x")
    model = Model(images, pool(images))
    export.save(model, tmp_path / "bundle", "onnx")
    bundle = export.load(tmp_path / "bundle")
    for size in range(1, 8):
        x = np.random.default_rng(size).normal(size=(2, *range(size, size + axes), 3)).astype(np.float32)
        np.testing.assert_allclose(bundle.run("call", x=x)["output"], model(x), atol=1e-6)


def test_windows_that_leave_pixels_out_and_hold_several_are_refused_where_sizes_are_free():
    images = Input((None, None, 3))
    (found,) = export.check_exportable(Model(images, layers.MaxPooling2D(2, 3, padding="same", name="wide")(images)))
    assert (found.op, found.layers) == ("MaxPool", ("wide",))
    assert "leave pixels out between them" in found.reason


def test_shapes_other_than_declared_are_refused_when_a_bundle_runs(tmp_path):
    """Keras chose what to do with images as large as those of the check, when it was traced."""
    images = Input((None, None, 1), name="x")
    model = Model(images, layers.CenterCrop(3, 3)(images))
    export.save(model, tmp_path / "bundle", "onnx")
    bundle = export.load(tmp_path / "bundle")
    assert bundle.run("call", x=np.zeros((1, 5, 6, 1), np.float32))["output"].shape == (1, 3, 3, 1)
    with pytest.raises(export.ExportError, match=r"'output' has shape .*, declared is .*one way through a model"):
        bundle.run("call", x=np.zeros((1, 2, 2, 1), np.float32))


@pytest.mark.parametrize("where", ["outside", "nested", "in a loop"])
def test_branches_have_convolutions(where, tmp_path):
    convolution = layers.Conv2D(2, 3, padding="same", bias_initializer="ones")

    def branched(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: convolution(x), lambda: x / 2)

    class Branched(layers.Layer):
        def build(self, shape):
            convolution.build(shape)

        def call(self, x):
            if where == "nested":
                return tf.cond(tf.reduce_sum(x) > 1e6, lambda: x, lambda: branched(x))
            if where == "in a loop":
                return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, branched(y)), (0, x))[1]
            return branched(x)

    images = Input((4, 5, 2), name="x")
    model = Model(images, Branched()(images))
    export.save(model, tmp_path / "bundle", "onnx")
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 2)).astype(np.float32)
    for each in (x + 0.5, x - 0.5):
        np.testing.assert_allclose(
            export.load(tmp_path / "bundle").run("call", x=each)["output"], model(each), atol=1e-5
        )


def test_outputs_have_the_names_of_their_keys_or_their_numbers(tmp_path):
    x = Input((3,), name="x")
    mean = ops.mean(x)
    for outputs, names in (
        ({"z": x + 1, "a": [x * 2, {"q": mean}]}, ["a_0", "a_1_q", "z"]),
        ([x + 1, mean], ["output_0", "output_1"]),
        ({"a": [x + 1, {"c": x * 3}], "a_0": x}, ["a_0", "a_1_c", "a_0_"]),
        ({"x": x * 2, "x_": x, "X": x}, ["X__", "x___", "x_"]),
        ({"x": x * 2}, ["x_"]),
    ):
        export.save(Model(x, outputs), tmp_path / "bundle", overwrite=True)
        found = export.load(tmp_path / "bundle").run("call", x=np.array([[1, 2, 3]], np.float32))
        assert list(found) == names
        for got, expected in zip(found.values(), keras.tree.flatten(outputs), strict=True):
            assert got.ndim == len(expected.shape)
    assert found["x_"].tolist() == [[2, 4, 6]]


@pytest.mark.parametrize(
    ("kinds", "values"),
    [
        (("int64", "float32", "int64"), [2**24 + 1, 2**40 + 1]),
        (("int64", "int32", "int64"), [2**40 + 7, -3]),
        (("int32", "float16", "float32"), [2049, 70000]),
        (("float32", "float16", "float32"), [0.1, 1e5]),
        (("float64", "float32", "float64"), [0.1, 1e300]),
        (("float32", "int32", "bool"), [0.5, 1.5]),
        (("bool", "int32", "float32"), [0, 1]),
    ],
)
def test_casts_round_and_cut_off_on_the_way_to_another(kinds, values, tmp_path):
    x = Input((2,), name="x", dtype=kinds[0])
    model = Model(x, ops.cast(ops.cast(x, kinds[1]), kinds[2]))
    export.save(model, tmp_path / "bundle", "onnx")
    given = np.array([values], kinds[0])
    found = export.load(tmp_path / "bundle").run("call", x=given)["output"]
    np.testing.assert_array_equal(found, ops.convert_to_numpy(model(given)))


def test_loops_that_differ_in_their_bodies_alone_stay_two(tmp_path):
    class Loops(layers.Layer):
        def build(self, shape):
            self.bounds = [self.add_weight(shape=(), initializer=keras.initializers.Constant(at)) for at in (20, 40)]

        def call(self, x):
            def loop(bound):
                step = lambda k, v: (k + 1, tf.maximum(v * 0.5, tf.nn.relu(x - bound)))  # noqa: E731
                return tf.while_loop(lambda k, _: k < 3, step, (0, tf.zeros_like(x)))[1]

            return loop(tf.convert_to_tensor(self.bounds[0])) - 2 * loop(tf.convert_to_tensor(self.bounds[1]))

    model = chain(Loops(), shape=(3,), name="x")
    export.save(model, tmp_path / "bundle")
    x = np.array([[50, 30, 10]], np.float32)
    np.testing.assert_allclose(export.load(tmp_path / "bundle").run("call", x=x)["output"], [[10, 10, 0]])


def test_rows_that_depend_on_one_another_where_numbers_are_large_alone_are_seen(tmp_path):
    x = Input((3,), name="x")
    model = Model(x, x / ops.maximum(ops.max(ops.abs(x)), 10.0))
    manifest = export.save(model, tmp_path / "bundle", "onnx")
    assert not manifest["signatures"]["call"]["independent_rows"]
    rows = np.ones((600, 3), np.float32)
    rows[0, 0] = 50
    found = export.load(tmp_path / "bundle").run("call", x=rows)["output"]
    np.testing.assert_allclose(found, rows / 50, rtol=1e-6)


def declaring(signatures) -> Model:
    model = Model()
    model.signatures = lambda: signatures
    return model


def doubling(formats=("saved_model", "onnx"), name="double", function=lambda x: {"y": 2 * x}) -> dict[str, Signature]:
    x, y = (NamedTensor(each, ("batch",)) for each in "xy")
    return {name: Signature("double", function, (x,), (y,), formats=formats)}


@pytest.mark.parametrize(
    ("signatures", "words"),
    [
        ({}, "expected a dict of zoo.signature.Signature by their names, with one at least"),
        (None, "signatures.. gives None, expected a dict"),
        (doubling(name="other"), "expected a dict of zoo.signature.Signature by their names"),
        (doubling(function=lambda x: 2 * x), "'double': its function gives .*, expected a dict of tensors"),
        (doubling(("saved_model",)), "'double' is for saved_model alone, and formats are onnx"),
        (doubling() | {"Double": dataclasses.replace(doubling()["double"], name="Double")}, "in capitals alone"),
    ],
    ids=["none", "nothing", "another name", "no dict", "another format", "capitals"],
)
def test_signatures_that_are_none_are_refused(signatures, words, tmp_path):
    with pytest.raises(export.ExportError, match=words):
        export.save(declaring(signatures), tmp_path / "bundle", "onnx")
    assert not any(tmp_path.iterdir())


def test_formats_are_those_that_signatures_are_for(tmp_path):
    assert export.save(declaring(doubling(("onnx",))), tmp_path / "bundle")["formats"] == ["onnx"]
    export.verify(tmp_path / "bundle")


REFUSED = {
    "an output of no size": (lambda: Model(x := Input((3,)), x[:, :0]), "holds nothing. Leave it out"),
    "numbers that NumPy has not": (
        lambda: Model(x := Input((3,), dtype="bfloat16", name="x"), ops.cast(x, "float32")),
        "tensor 'x' is bfloat16, which NumPy does not have. Cast",
    ),
    "infinite": (
        lambda: Model(x := Input((3,)), ops.log(ops.relu(x))),
        "output 'output' is not finite, .*bounded function",
    ),
    "sizes": (
        lambda: Model(images := Input((None, 3)), layers.Dense(2)(ops.reshape(images, (-1, 21)))),
        r"fails on inputs of shapes .* \[1, 32, 3\]: .*reshape.*keras.Input the sizes.*equal ones were tried\.$",
    ),
    "Python": (
        lambda: chain(layers.UpSampling2D(interpolation="bilinear"), shape=(None, None, 2)),
        r"'call': The graph cannot be made \(Using a symbolic `tf.Tensor` as a Python `bool` is not.*TensorFlow ops",
    ),
    "a table": (
        lambda: chain(layers.IntegerLookup(vocabulary=[1, 2, 5]), shape=(3,), dtype="int64"),
        r"layer integer_lookup\w*: LookupTableFindV2 .*Do it before the model",
    ),
}


def test_tables_are_not_in_a_saved_model_either(tmp_path):
    words = "a SavedModel holds weights and constants, and the model has something else.*table.*before the model"
    with pytest.raises(export.ExportError, match=words):
        export.save(REFUSED["a table"][0](), tmp_path / "bundle", "saved_model")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exported_is_refused_with_a_remedy(name, tmp_path):
    make, words = REFUSED[name]
    with pytest.raises(export.ExportError, match=words):
        export.save(make(), tmp_path / "bundle")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_branches_that_give_constants_are_reduced(kind, tmp_path):
    keras.utils.set_random_seed(0)
    held_out = np.random.default_rng(0).normal(size=(64, 90)).astype(np.float32)
    reduction = export.Reduction(kind, held_out=held_out, allow_drift=True)
    export.save(chain(Switched(), shape=(90,), name="x"), tmp_path / "bundle", ["onnx"], reduction=reduction)
    assert export.verify(tmp_path / "bundle")


def test_what_is_no_model_is_no_attribute_error():
    with pytest.raises(export.ExportError, match=r"expected a keras\.Model"):
        export.check_exportable(lambda x: x)


def test_names_that_no_argument_can_have_are_said_with_what_they_become():
    inputs = Input((2,), name="aux in")
    model = Model(inputs, {"my out": layers.Dense(1)(inputs)}, name="renamed")
    signature = signatures_of(model)["call"]
    assert [spec.name for spec in (*signature.inputs, *signature.outputs)] == ["aux_in", "my_out"]
    assert signature.description == "The model renamed. Here 'aux in' is aux_in, 'my out' is my_out."
