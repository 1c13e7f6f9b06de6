"""ONNX files in reduced precision: smaller, measured, refused where they lose too much, and checked again later."""

import shutil

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from example_models import MODELS
from onnx.reference import ReferenceEvaluator

import export
from export import manifest as manifests
from export.emulation import emulated
from export.half import in_half
from export.inputs import draw_inputs
from export.onnx import convert
from export.parity import Reference, largest_difference
from export.quantize import in_int8
from export.session import open_session, run_session
from export.verification import REDUCED_REFERENCE, read_reference
from zoo.signature import NamedTensor, Signature


@pytest.fixture(scope="module")
def half(small_vae, digits, tmp_path_factory):
    """A bundle in half precision, beside a SavedModel."""
    directory = tmp_path_factory.mktemp("reduced") / "half"
    export.save(small_vae, directory, reduction=export.Reduction("float16", held_out=digits[1000:1300]))
    return directory


def products(path) -> dict[str, int]:
    """Returns the element types of the outputs of nodes by op."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
    return {node.op_type: types[node.output[0]] for node in graph.node}


def test_networks_compute_in_half_precision_and_noise_does_not(half, small_vae):
    types = products(half / "onnx" / "sample.onnx")
    assert types["MatMul"] == onnx.TensorProto.FLOAT16
    assert {types[op] for op in ("Log", "Cos", "Sin", "Sqrt")} == {onnx.TensorProto.FLOAT}
    reduction = manifests.read(half)["reduction"]
    for name, entry in reduction["signatures"].items():
        assert entry["bytes"] == (half / "onnx" / f"{name}.onnx").stat().st_size < entry["float32_bytes"]
    ours, theirs = small_vae.sample(40, seed=3), export.load(half).sample(40, seed=3)
    assert theirs.dtype == np.float32
    assert 0 < np.abs(ours - theirs).max() < 0.005
    signature = {value.name for value in onnx.load(half / "onnx" / "sample.onnx").graph.input}
    assert signature == {"seed", "n", "temperature", "first"}


def test_what_is_lost_is_in_the_manifest_and_on_the_card(half):
    reduction = manifests.read(half)["reduction"]
    assert reduction["within_budget"] and reduction["rows"] == 300 and reduction["kind"] == "float16"
    measures = {
        name: {figure["measure"] for figure in entry["drift"]} for name, entry in reduction["signatures"].items()
    }
    pixels = {"pixel_difference", "mean_pixel_difference"}
    assert measures == {
        "encode": {"relative_error"},
        "decode": pixels,
        "reconstruct": pixels,
        "sample": {*pixels, "frechet_increase"},
        "elbo": {"nats"},
    }
    assert 0 < reduction["signatures"]["decode"]["difference"] < 0.01
    held_out = {name: entry["held_out"] for name, entry in reduction["signatures"].items()}
    assert held_out == {
        "encode": ["image"],
        "decode": ["latent"],
        "reconstruct": ["image"],
        "sample": [],
        "elbo": ["image"],
    }
    card = (half / "card.md").read_text()
    assert "half precision" in card and "frechet_increase" in card and "300 rows" in card
    assert "Warning" not in card


def test_a_reduced_bundle_is_verified_against_what_it_gave(half, tmp_path):
    found = export.verify(half)
    assert found["decode"]["onnx"] < 1e-4 and found["decode"]["saved_model"] < 1e-4
    bundle = shutil.copytree(half, tmp_path / "bundle")
    for name in manifests.read(bundle)["files"]:
        content = bytearray((bundle / name).read_bytes())
        content[len(content) // 2] ^= 1
        (bundle / name).write_bytes(content)
        with pytest.raises(export.ExportError, match="altered or truncated"):
            export.verify(bundle)
        content[len(content) // 2] ^= 1
        (bundle / name).write_bytes(content)


def test_other_weights_are_found_even_with_matching_hashes(half, tmp_path):
    bundle = shutil.copytree(half, tmp_path / "bundle")
    path = bundle / "onnx" / "decode.onnx"
    model = onnx.load(path)
    weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    assert weights.data_type == onnx.TensorProto.FLOAT16
    values = onnx.numpy_helper.to_array(weights) * np.float16(1.1)
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    onnx.save(model, path)
    manifests.write(bundle, {**manifests.read(bundle), "files": manifests.hashes(bundle)})
    with pytest.raises(export.ExportError, match="'decode' in onnx: output 'image' differs"):
        export.verify(bundle)


def test_a_manifest_that_states_less_than_is_lost_is_refused(half, tmp_path):
    bundle = shutil.copytree(half, tmp_path / "bundle")
    manifest = manifests.read(bundle)
    entry = manifest["reduction"]["signatures"]["decode"]
    stated, entry["difference"] = entry["difference"], 0.0
    manifests.write(bundle, manifest)
    with pytest.raises(export.ExportError, match=r"'decode' in float16 differs from the model by .* states 0"):
        export.verify(bundle)
    entry["difference"] = stated
    entry["drift"][0]["value"] = 0.5
    manifests.write(bundle, manifest)
    with pytest.raises(export.ExportError, match="'decode' drifts beyond its budget, which was not allowed"):
        export.verify(bundle)


@pytest.mark.parametrize("static", [False, True])
def test_eight_bits(small_vae, digits, tmp_path, static, capfd):
    given = export.Reduction("int8", digits[1000:1300], calibration=digits[:200] if static else None)
    manifest = export.save(small_vae, tmp_path / "bundle", "onnx", reduction=given, signatures=["encode", "sample"])
    assert manifest["reduction"]["calibration"] == ("static" if static else "dynamic")
    assert "graph inputs" not in capfd.readouterr().err  # ONNX Runtime's warnings of inputs with a default
    model = onnx.load(tmp_path / "bundle" / "onnx" / "encode.onnx")
    assert {node.domain for node in model.graph.node} == {""} == {entry.domain for entry in model.opset_import}
    ops = {node.op_type for node in model.graph.node}
    assert ("QuantizeLinear" if static else "MatMulInteger") in ops
    entry = manifest["reduction"]["signatures"]["encode"]
    assert entry["bytes"] < 0.8 * entry["float32_bytes"]
    export.verify(tmp_path / "bundle")
    bundle = export.load(tmp_path / "bundle")
    assert 0 < np.abs(bundle.sample(30, seed=2) - small_vae.sample(30, seed=2)).mean() < 0.02
    assert {entry.key: entry.value for entry in model.metadata_props}["precision"] == "int8"
    assert model.producer_name == "genzoo"


def test_other_rounding_stays_within_the_stated_difference(half):
    """Without its optimizations ONNX Runtime casts in other places: a stand-in for another processor."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    entries, signatures = manifests.read(half)["reduction"]["signatures"], export.load(half).signatures
    moved = []
    for name, reference in read_reference(half / REDUCED_REFERENCE).items():
        session = onnxruntime.InferenceSession(half / "onnx" / f"{name}.onnx", options)
        cases = [(inputs, run_session(session, inputs, name)) for inputs, _ in reference.cases]
        moved.append(largest_difference(signatures[name], Reference(cases), reference, "onnx"))
        assert moved[-1] < 2 * entries[name]["difference"]
    assert any(moved)


def outlier() -> tuple[keras.Model, np.ndarray]:
    """Returns a network that reads small inputs beside a large one that it ignores, and rows for it.

    In eight bits, whose levels the large one spreads, the small ones are all 0.
    """
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((64,), name="x"), keras.layers.Dense(64)])
    kernel, bias = model.get_weights()
    kernel[0] = 0
    model.set_weights([kernel, bias])
    rows = np.random.default_rng(0).normal(size=(50, 64)).astype(np.float32)
    rows[:, 0] = 1e4
    return model, rows


def test_what_loses_too_much_is_refused_and_leaves_nothing(tmp_path):
    model, rows = outlier()
    message = r"int8 drifts beyond .*: 'call' relative_error of output [0-9.]+, budget at most 0\.1\. .*--allow-drift"
    with pytest.raises(export.ExportError, match=message):
        export.save(model, tmp_path / "bundle", reduction=export.Reduction("int8", rows))
    assert not any(tmp_path.iterdir())
    export.save(model, tmp_path / "bundle", reduction=export.Reduction("float16", rows))
    assert manifests.read(tmp_path / "bundle")["reduction"]["within_budget"]


def test_drift_that_is_allowed_is_said_aloud(tmp_path):
    model, rows = outlier()
    manifest = export.save(model, tmp_path / "bundle", reduction=export.Reduction("int8", rows, allow_drift=True))
    reduction = manifest["reduction"]
    assert not reduction["within_budget"] and reduction["drift_allowed"]
    assert not reduction["signatures"]["call"]["drift"][0]["within"]
    card = (tmp_path / "bundle" / "card.md").read_text()
    assert card.index("Warning: drift beyond budget") < card.index("## Signatures") and "**beyond**" in card
    export.verify(tmp_path / "bundle")
    manifests.write(tmp_path / "bundle", {**manifest, "reduction": {**reduction, "drift_allowed": False}})
    with pytest.raises(export.ExportError, match="which was not allowed"):
        export.verify(tmp_path / "bundle")


def test_budgets_can_be_set(tmp_path):
    model, rows = outlier()
    with pytest.raises(export.ExportError, match="budget at most 1e-09"):
        export.save(
            model, tmp_path / "b", reduction=export.Reduction("float16", rows, budgets={"relative_error": 1e-9})
        )


@pytest.mark.parametrize("outside", [False, True])
def test_weights_that_loops_take_are_stored_in_fewer_bits(outside):
    kernel = tf.Variable(np.random.default_rng(0).normal(size=(64, 64)) / 8, dtype=tf.float32)

    def function(x):
        first = tf.nn.relu(x @ kernel) @ kernel if outside else x
        steps = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y @ kernel)), (0, first))
        return {"y": steps[1]}

    tensor = NamedTensor("x", ("batch", 64))
    model = convert(Signature("loop", function, (tensor,), (NamedTensor("y", ("batch", 64)),)))
    x = {"x": np.random.default_rng(1).normal(size=(5, 64)).astype(np.float32)}

    def run(each):
        return run_session(open_session(each.SerializeToString(), "loop"), x, "loop")["y"]

    expected, small = run(model), in_int8(model, "loop")
    assert small is not None and small.ByteSize() < (0.7 if outside else 0.5) * model.ByteSize()
    np.testing.assert_allclose(run(small), expected, atol=0.1)
    size = model.ByteSize()
    assert in_half(model) > 0 and model.ByteSize() < 0.6 * size
    np.testing.assert_allclose(run(model), expected, atol=2e-3)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ("EBM", "VAE") else pytest.mark.slow) for name in MODELS]
)
def test_every_signature_of_every_model_is_reduced(name):
    for signature in MODELS[name]().signatures().values():
        model = convert(signature)
        inputs = draw_inputs(signature.inputs, 3, seed=0)
        expected = run_session(open_session(model.SerializeToString(), name), inputs, name)
        small = in_int8(model, name)
        in_half(model)
        for reduced in (small, model):
            if reduced is None:
                continue
            onnx.checker.check_model(reduced, full_check=True)
            found = run_session(open_session(reduced.SerializeToString(), name), inputs, name)
            for key, value in expected.items():
                assert found[key].shape == value.shape and found[key].dtype == value.dtype
                assert np.isfinite(found[key]).all() == np.isfinite(value).all()


def test_scales_fit_weights_that_two_products_take_along_two_axes():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 8)).astype(np.float32)

    def function(x):
        first = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME"))
        back = tf.nn.relu(tf.nn.conv2d_transpose(first, kernel, tf.shape(x), 1, "SAME"))
        return {"y": tf.reduce_sum(tf.nn.conv2d(back, kernel, 1, "SAME"), axis=[1, 2])}  # another product to lead to

    signature = Signature("both", function, (NamedTensor("x", ("batch", 6, 6, 4)),), (NamedTensor("y", ("batch", 8)),))
    model, x = convert(signature), {"x": np.random.default_rng(1).normal(size=(9, 6, 6, 4)).astype(np.float32)}
    small = in_int8(model, "both", [x])
    assert small is not None
    before, after = (
        run_session(open_session(each.SerializeToString(), "both"), x, "both")["y"] for each in (model, small)
    )
    assert np.abs(after - before).max() < 0.05 * np.abs(before).max()


@pytest.mark.parametrize("scale", [1.0, 1e-3, 3e4])
def test_half_precision_is_emulated_as_the_reference_evaluator_computes_it(scale):
    """Without sums, which the evaluator rounds inside, too: with numbers below the normal ones, and infinite ones."""
    images = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(images)
    x = keras.layers.MaxPooling2D(2)(keras.layers.ReLU()(x * 1.7 - 0.3 * scale))
    network = keras.Model(images, keras.layers.Conv2D(1, 1, use_bias=False)(x))
    network.set_weights([np.full((1, 1, 1, 1), value) for value in (0.7, 3e-3 if scale < 1 else 1.3)])
    specs = (NamedTensor("x", ("batch", 6, 6, 1)),), (NamedTensor("y", ("batch", 3, 3, 1)),)
    model = convert(Signature("net", lambda x: {"y": network(x)}, *specs), passes="none")
    assert in_half(model)
    x = {"x": (scale * np.random.default_rng(0).normal(size=(99, 6, 6, 1))).astype(np.float32)}
    found = run_session(open_session(emulated(model).SerializeToString(), "net"), x, "net")["y"]
    with np.errstate(over="ignore"):
        (expected,) = ReferenceEvaluator(model).run(None, x)
    np.testing.assert_array_equal(found, expected)
    assert (found != network(x["x"]).numpy()).mean() > 0.5
    assert np.isinf(found).any() == (scale > 1)
    assert ((found > 0) & (found < 2**-14)).any() == (scale < 1)


def test_what_overflows_in_half_precision_is_refused_on_any_processor(tmp_path):
    keras.utils.set_random_seed(0)
    hidden = (keras.layers.Dense(256, activation="relu") for _ in range(2))
    model = keras.Sequential([keras.Input((32,)), *hidden, keras.layers.Dense(1)])
    rows = 3e4 * np.random.default_rng(0).normal(size=(50, 32)).astype(np.float32)  # which ONNX Runtime is fine with
    with pytest.raises(export.ExportError, match=r"float16 file.* none beyond 65,504: .*is not finite"):
        export.save(model, tmp_path / "bundle", "onnx", reduction=export.Reduction("float16", held_out=rows))
    assert not any(tmp_path.iterdir())
    export.save(model, tmp_path / "bundle", "onnx", reduction=export.Reduction("float16", held_out=rows / 10))


def test_products_of_constants_from_the_left_stay_in_float32():
    """As resizing has them: their scales can be of the other factor alone."""
    images = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(4, 3, padding="same")(images)
    x = keras.layers.UpSampling2D(2, interpolation="bicubic")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(x))
    network = keras.Model(images, keras.layers.Dense(2)(x))
    specs = (NamedTensor("x", ("batch", 4, 4, 1)),), (NamedTensor("y", ("batch", 2)),)
    model = convert(Signature("resized", lambda x: {"y": network(x)}, *specs))
    x = {"x": np.random.default_rng(0).normal(size=(9, 4, 4, 1)).astype(np.float32)}
    small = in_int8(model, "resized", [x])
    assert small is not None and "QuantizeLinear" in {node.op_type for node in small.graph.node}
    found = run_session(open_session(small.SerializeToString(), "resized"), x, "resized")["y"]
    expected = network(x["x"]).numpy()
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_energies_are_held_to_their_ranks(digits, tmp_path):
    import zoo

    keras.utils.set_random_seed(0)
    model = zoo.EBM(zoo.networks.conv_energy((8, 8, 1), (16, 32), 64), "denoising_score_matching")
    given = export.Reduction("float16", digits[:100])
    manifest = export.save(model, tmp_path / "bundle", "onnx", reduction=given, signatures=["energy"])
    (figure,) = manifest["reduction"]["signatures"]["energy"]["drift"]
    assert figure["measure"] == "rank_correlation" and 0.999 <= figure["value"] <= 1


def test_signatures_without_weights_stay_in_float32(tmp_path):
    model, rows = outlier()
    tensor = NamedTensor("x", ("batch", 64))
    layer = model.layers[0]
    both = {
        "dense": Signature("dense", lambda x: {"y": layer(x)}, (tensor,), (NamedTensor("y", ("batch", 64)),)),
        "double": Signature("double", lambda x: {"y": 2 * x}, (tensor,), (NamedTensor("y", ("batch", 64)),)),
    }
    model.signatures = lambda: both
    manifest = export.save(model, tmp_path / "bundle", reduction=export.Reduction("float16", {"x": rows}))
    assert (
        manifest["reduction"]["signatures"]["double"]["kept_float32"]
        == "it has no convolution, Gemm or MatMul with float32 weights"
    )
    assert "kept in float32: it has no convolution, Gemm or MatMul" in (tmp_path / "bundle" / "card.md").read_text()
    export.verify(tmp_path / "bundle")


ROWS = np.zeros((30, 8, 6, 1), np.float32)


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("VAE", {"kind": "float8"}, "no reduction 'float8'. There are: float16, int8"),
        ("VAE", {"kind": "int8", "held_out": None}, "there are none: pass held_out"),
        ("VAE", {"held_out": ROWS[:5]}, "held_out has 5 rows, expected at least 20"),
        ("VAE", {"held_out": {"image": ROWS, "label": np.zeros(3)}}, r"held_out has arrays of \[3, 30\] rows"),
        ("VAE", {"held_out": ROWS[:, :5]}, r"rows for 'image' have shape \[30, 5, 6, 1\]"),
        ("VAE", {"held_out": ROWS + 255}, "held-out or calibration data: input 'image' of 'encode'"),
        ("VAE", {"calibration": ROWS}, "calibration is for int8"),
        ("VAE", {"budgets": {"pixels": 1.0}}, "no measure 'pixels'"),
        ("VAE", {"budgets": {"nats": "a"}}, "budget of nats is 'a', expected a finite number"),
        ("VAE", {"budgets": {"nats": np.nan}}, "budget of nats is nan, expected a finite number"),
        ("VAE", {"held_out": ROWS + np.inf}, "held_out holds NaN or infinite numbers"),
        ("VAE", {"features": "classifier"}, "features is 'classifier', expected a network"),
        ("ConditionalVAE", {}, "held-out data for 'label', which 'encode' takes, are not given"),
    ],
)
def test_what_cannot_be_measured_is_refused(name, how, message, tmp_path):
    with pytest.raises(export.ExportError, match=message):
        given = export.Reduction(**{"kind": "float16", "held_out": ROWS, **how})
        export.save(MODELS[name](), tmp_path / "bundle", "onnx", reduction=given, signatures=["encode"])
    assert not any(tmp_path.iterdir())


def test_a_saved_model_stays_float32(tmp_path):
    with pytest.raises(export.ExportError, match="a SavedModel stays float32: add onnx to formats"):
        export.save(MODELS["VAE"](), tmp_path / "b", "saved_model", reduction=export.Reduction("float16", ROWS))


@pytest.mark.parametrize("opset", [17, 18])
def test_zeros_around_maxima_stay_in_half_precision(opset, tmp_path):
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3), name="image")
    low = keras.layers.Conv2D(8, 3, padding="same", bias_initializer=keras.initializers.Constant(-3.0))(images)
    x = keras.layers.MaxPooling2D(3, 2)(keras.layers.ZeroPadding2D(1)(low))
    model = keras.Model(images, keras.layers.Flatten()(keras.layers.Conv2D(16, 3, padding="same")(x)))
    rows = np.random.default_rng(0).random((50, 8, 8, 3), np.float32)
    export.save(model, tmp_path / "bundle", "onnx", opset=opset, reduction=export.Reduction("float16", held_out=rows))
    export.verify(tmp_path / "bundle")
    found = export.load(tmp_path / "bundle").run("call", image=rows)["output"]
    np.testing.assert_allclose(found, model(rows), atol=0.02)


def test_a_half_precision_file_is_held_to_what_its_roundings_give(tmp_path, monkeypatch, digits, small_vae):
    """Drift is measured of the emulation, so that a file that gives something else would go unseen."""
    from export import gate

    real = gate.emulated

    def other(model):
        result = real(model)
        graph = result.graph
        for tensor in graph.initializer:
            if tensor.name.endswith("/half") and len(tensor.dims) == 2:
                values = 1.5 * onnx.numpy_helper.to_array(tensor)
                tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), tensor.name))
        return result

    given = export.Reduction("float16", held_out=digits[1000:1100], allow_drift=True)
    monkeypatch.setattr(gate, "emulated", other)
    monkeypatch.setattr(gate, "largest_difference", lambda *_: 0.001)
    with pytest.raises(export.ExportError, match="'decode' in the float16 file: output 'image' differs"):
        export.save(small_vae, tmp_path / "other", "onnx", signatures=["decode"], reduction=given)


class Weighted(keras.Model):
    """A function of rows of 32 and matrices, as the signature of a model."""

    def __init__(self, function, *shapes, output="float32"):
        super().__init__(name="weighted")
        initializer = keras.initializers.GlorotNormal(seed=0)
        self.matrices = [
            self.add_weight(shape=shape, initializer=initializer, name=f"w{n}") for n, shape in enumerate(shapes)
        ]
        self.function, self.output_dtype = function, output
        self.built = True

    def signatures(self):
        run = lambda x: {"y": self.function(x, *(each.value for each in self.matrices))}  # noqa: E731
        specs = (NamedTensor("x", ("batch", 32)),), (NamedTensor("y", ("batch", 32), self.output_dtype),)
        return {"go": Signature("go", run, *specs, tolerance=1e-3)}


def looped(h):
    """A loop that reads a tensor from outside."""
    return tf.while_loop(lambda i, _: i < 2, lambda i, z: (i + 1, tf.tanh(z + h)), (0, tf.zeros_like(h)))[1]


def branched(h):
    """A branch that reads a tensor from outside, and no other node does."""
    return tf.cond(tf.reduce_sum(h) > -1e6, lambda: tf.tanh(h), lambda: h * 2.0)


def started(h):
    """A loop that starts from a tensor and reads it too."""
    return tf.while_loop(lambda i, _: i < 2, lambda i, z: (i + 1, tf.tanh(z + h)), (0, h))[1]


@pytest.mark.parametrize("inside", [looped, branched, started])
def test_what_loops_and_branches_read_is_not_rounded_to_eight_bits(inside, tmp_path):
    """ONNX Runtime ends the process where it is, and the quantizer puts nodes before what their bodies read."""
    function = lambda x, w, v: tf.reshape(inside(tf.reshape(x @ w, [-1, 8, 8])), [-1, 64]) @ v  # noqa: E731
    rows = {"x": np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)}
    given = export.Reduction("int8", rows, calibration=rows, allow_drift=True)
    export.save(Weighted(function, (32, 64), (64, 32)), tmp_path / "bundle", "onnx", reduction=given)
    export.verify(tmp_path / "bundle")


@pytest.mark.parametrize("pooled", [False, True])
def test_eight_bits_are_the_same_however_onnx_runtime_multiplies_them(pooled):
    """Where it joins the last product with roundings before it, signed weights overflow on processors without VNNI."""
    generator = np.random.default_rng(0)
    kernels = [generator.normal(size=shape).astype(np.float32) for shape in ((3, 3, 2, 16), (9 * 16, 64))]

    def function(x):
        h = tf.nn.conv2d(x, kernels[0], 1, "VALID")
        h = tf.nn.max_pool2d(h, 2, 2, "VALID") if pooled else h[:, ::2, ::2]
        return {"y": tf.reshape(h, [-1, 9 * 16]) @ kernels[1]}

    signature = Signature("last", function, (NamedTensor("x", ("batch", 8, 8, 2)),), (NamedTensor("y", ("batch", 64)),))
    x = {"x": generator.normal(size=(64, 8, 8, 2)).astype(np.float32)}
    small = in_int8(convert(signature), "last", [x])
    assert small is not None
    plainly = onnxruntime.SessionOptions()
    plainly.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    sessions = (onnxruntime.InferenceSession(small.SerializeToString(), how) for how in (plainly, None))
    said, found = (session.run(None, x)[0] for session in sessions)
    np.testing.assert_allclose(found, said, atol=0.002 * np.abs(said).max())


def test_what_is_stored_in_eight_bits_is_not_multiplied_in_them():
    """A large number that no weight takes costs nothing, where ONNX Runtime does not round it with its neighbours."""
    kernel = np.random.default_rng(0).normal(size=(32, 64)).astype(np.float32)
    kernel[0] = 0
    size = np.where(np.arange(32) == 0, 1000.0, 1.0).astype(np.float32)
    specs = (NamedTensor("x", ("batch", 32)),), (NamedTensor("y", ("batch", 64)),)
    x = {"x": np.random.default_rng(1).normal(size=(64, 32)).astype(np.float32)}
    model = convert(Signature("last", lambda x: {"y": (x * size) @ kernel}, *specs))
    small = in_int8(model, "last", [x])
    assert small is not None
    before, after = (run_session(open_session(m.SerializeToString(), "last"), x, "last")["y"] for m in (model, small))
    assert np.sqrt(np.square(after - before).mean()) < 0.02 * before.std()


@pytest.mark.parametrize("calibrated", [False, True])
def test_stacks_of_matrices_are_stored_in_eight_bits(calibrated):
    generator = np.random.default_rng(0)
    stack, last = (generator.normal(size=shape).astype(np.float32) / 8 for shape in ((4, 32, 64), (64, 16)))
    specs = (NamedTensor("x", ("batch", 4, 10, 32)),), (NamedTensor("y", ("batch", 4, 10, 16)),)
    x = {"x": generator.normal(size=(20, 4, 10, 32)).astype(np.float32)}
    model = convert(Signature("go", lambda x: {"y": tf.nn.relu(tf.matmul(x, stack)) @ last}, *specs))
    small = in_int8(model, "go", [x] if calibrated else [])
    assert small is not None and small.ByteSize() < 0.4 * model.ByteSize()
    before, after = (run_session(open_session(m.SerializeToString(), "go"), x, "go")["y"] for m in (model, small))
    assert np.sqrt(np.square(after - before).mean()) < 0.05 * before.std()


def tied(x, w):
    return tf.matmul(tf.nn.tanh(x @ w), w, transpose_b=True)


def slope(x, w, v):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.tanh(tf.tanh(x @ w) @ v)
    return tape.gradient(y, x)


@pytest.mark.parametrize(("function", "shapes"), [(tied, [(32, 256)]), (slope, [(32, 128), (128, 64)])])
@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_weights_that_are_taken_both_ways_are_stored_small(function, shapes, kind, tmp_path):
    rows = {"x": np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)}
    given = export.Reduction(kind, rows, allow_drift=True)
    entry = export.save(Weighted(function, *shapes), tmp_path / "bundle", "onnx", reduction=given)["reduction"]
    assert entry["signatures"]["go"]["bytes"] < 0.65 * entry["signatures"]["go"]["float32_bytes"]
    export.verify(tmp_path / "bundle")


@pytest.mark.parametrize("kind", ["output", "loop", "constant"])
def test_half_precision_of_a_model_itself_stays(kind, tmp_path):
    def carried(x):
        halves = tf.cast(x, tf.float16)
        return tf.while_loop(lambda i, _: i < 2, lambda i, z: (i + 1, z * 0.5), (0, halves))[1]

    function = {
        "output": lambda x, w, v: tf.cast(x @ w @ v, tf.float16),
        "loop": lambda x, w, v: tf.cast(carried(x @ w), tf.float32) @ v,
        "constant": lambda x, w, v: tf.cast(tf.where(x @ w > 0, tf.cast(x @ w, tf.float16), 0), tf.float32) @ v,
    }[kind]
    model = Weighted(function, (32, 64), (64, 32), output="float16" if kind == "output" else "float32")
    rows = {"x": np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)}
    export.save(model, tmp_path / "bundle", "onnx", reduction=export.Reduction("float16", rows, allow_drift=True))
    export.verify(tmp_path / "bundle")


def test_rows_by_a_name_that_no_input_has_are_refused(tmp_path):
    rows = np.zeros((50, 32), np.float32)
    model = Weighted(lambda x, w: x @ w, (32, 32))
    with pytest.raises(export.ExportError, match=r"no input 'typo' for rows\. There are: x"):
        export.save(model, tmp_path / "bundle", "onnx", reduction=export.Reduction("float16", {"typo": rows}))
    with pytest.raises(export.ExportError, match="rows for 'x' have dtype complex64, expected float32"):
        export.save(model, tmp_path / "bundle", reduction=export.Reduction("float16", {"x": rows.astype(np.complex64)}))
    assert not any(tmp_path.iterdir())


def test_a_label_may_be_a_scalar(tmp_path):
    model = Weighted(lambda x, w: x @ w, (32, 32))
    plain = model.signatures()["go"]
    label = NamedTensor("label", (), "int32", (0, 9))
    function = lambda x, label: {"y": plain.function(x)["y"] * tf.cast(label + 1, tf.float32)}  # noqa: E731
    model.signatures = lambda: {"go": Signature("go", function, (*plain.inputs, label), plain.outputs)}
    rows = {"x": np.random.default_rng(0).normal(size=(50, 32)).astype(np.float32)}
    export.save(model, tmp_path / "bundle", "onnx", reduction=export.Reduction("float16", rows))


@pytest.mark.parametrize("named", [False, True])
def test_drift_is_measured_on_the_rows_that_are_given(named, tmp_path):
    """Rows of 2e5 overflow in half precision, and what is drawn in their place would not."""
    model = Weighted(lambda x, w: x @ w, (32, 32))
    rows = np.full((50, 32), 2e5, np.float32)
    given = export.Reduction("float16", {"x": rows} if named else rows)
    with pytest.raises(export.ExportError, match="output 'y' is not finite"):
        export.save(model, tmp_path / "b", "onnx", reduction=given)


def test_inputs_whose_values_nothing_tells_have_to_be_given(tmp_path):
    model = Weighted(lambda x, w: x @ w, (32, 32))
    for rows in ({"image": np.zeros((50, 32), np.float32)}, {"label": np.arange(50)}):
        with pytest.raises(export.ExportError, match="held-out data for 'x', which 'go' takes, are not given"):
            export.save(model, tmp_path / "b", "onnx", reduction=export.Reduction("float16", rows))
    assert not any(tmp_path.iterdir())


def test_what_is_drawn_in_place_of_rows_is_not_called_held_out(tmp_path):
    model = Weighted(lambda x, w: x @ w, (32, 32))
    plain = model.signatures()["go"]
    x = NamedTensor("x", ("batch", 32), range=(-2, 2))
    model.signatures = lambda: {"go": Signature("go", plain.function, (x,), plain.outputs)}
    given = export.Reduction("float16", {"image": np.zeros((50, 8, 8, 1), np.float32)})
    manifest = export.save(model, tmp_path / "b", "onnx", reduction=given)
    assert manifest["reduction"]["signatures"]["go"]["held_out"] == []


@pytest.mark.parametrize("near", [False, True])
def test_rows_that_values_decide_on_are_compared_as_far_as_they_go(near, tmp_path):
    """What is kept of rows may be nothing; and in half precision not that of float32, where rows are near the bound."""
    model = Weighted(lambda x, w: tf.boolean_mask(x, tf.reduce_sum(x @ w, 1) > (0.0 if near else 1e6)), (32, 32))
    plain, (weights,) = model.signatures()["go"], model.get_weights()
    kept = NamedTensor("y", ("kept", 32), range=(-10.0, 10.0))
    model.signatures = lambda: {"go": Signature("go", plain.function, plain.inputs, (kept,))}
    rows = np.random.default_rng(0).normal(size=(40_000, 32)).astype(np.float32)
    reduction = export.Reduction("float16", {"x": rows[np.abs((rows @ weights).sum(axis=1)) < 0.02] if near else rows})
    if near:
        with pytest.raises(export.ExportError, match=r"drifts beyond its budget: 'go' changed_share of y"):
            export.save(model, tmp_path / "b", "onnx", reduction=reduction)
    else:
        manifest = export.save(model, tmp_path / "b", "onnx", reduction=reduction)
        assert manifest["reduction"]["within_budget"]
        export.verify(tmp_path / "b")


@pytest.mark.parametrize("counted", [False, True])
def test_rows_are_taken_whatever_their_axis_is_called(counted, tmp_path):
    """Rows of 2e5 overflow in half precision, and what is drawn in their place would not."""
    model = Weighted(lambda x, w: x @ w, (32, 32))
    run = model.signatures()["go"].function
    function = (lambda n, x: run(x[:n])) if counted else run
    count = (NamedTensor("n", (), "int64", (1, 10_000)),) if counted else ()
    specs = (*count, NamedTensor("x", ("n", 32))), (NamedTensor("y", ("n", 32)),)
    model.signatures = lambda: {"go": Signature("go", function, *specs)}
    for scale in (1, 2e5):
        rows = scale * np.random.default_rng(0).normal(size=(60, 32)).astype(np.float32)
        reduction = export.Reduction("float16", {"x": rows})
        if scale == 1:
            manifest = export.save(model, tmp_path / "b", "onnx", reduction=reduction)
            assert manifest["reduction"]["signatures"]["go"]["held_out"] == ["x"]
        else:
            with pytest.raises(export.ExportError, match="output 'y' is not finite"):
                export.save(model, tmp_path / "c", "onnx", reduction=reduction)


def test_what_has_no_rows_is_drawn(tmp_path):
    """A seed of TensorFlow's own kind, and a scale for each column."""
    model = Weighted(lambda x, w: x @ w, (32, 32))
    run = model.signatures()["go"].function
    function = lambda x, scale, key: {"y": run(x)["y"] * scale + tf.random.stateless_normal([32], key)}  # noqa: E731
    specs = NamedTensor("x", ("batch", 32)), NamedTensor("scale", (32,)), NamedTensor("key", (2,), "int32")
    model.signatures = lambda: {"go": Signature("go", function, specs, (NamedTensor("y", ("batch", 32)),))}
    rows = np.random.default_rng(0).normal(size=(60, 32)).astype(np.float32)
    manifest = export.save(model, tmp_path / "b", "onnx", reduction=export.Reduction("float16", rows))
    assert manifest["reduction"]["signatures"]["go"]["held_out"] == ["x"]


@pytest.mark.parametrize("size", [1, 32])
def test_models_of_one_batch_size_are_reduced(size, tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32,), batch_size=size, name="x")
    model = keras.Model(inputs, keras.layers.Dense(64)(keras.layers.Dense(64, "relu")(inputs)))
    rows = np.random.default_rng(0).normal(size=(200, 32)).astype(np.float32)
    given = export.Reduction("int8", held_out=rows[:70], calibration=rows[70:])
    manifest = export.save(model, tmp_path / "b", "onnx", reduction=given)
    (figure,) = manifest["reduction"]["signatures"]["call"]["drift"]
    assert 0 < figure["value"] < 0.1
    export.verify(tmp_path / "b")
    (found,) = export.load(tmp_path / "b").run("call", x=rows[:size]).values()
    assert found.shape == (size, 64)


def test_rows_in_pairs_are_no_array():
    with pytest.raises(export.ExportError, match="held_out is a tuple of arrays of different shapes: pass arrays by"):
        export.Reduction("int8", held_out=(np.zeros((30, 8)), np.zeros(30)))


def test_too_few_rows_for_a_fixed_batch_are_refused(tmp_path):
    inputs = keras.Input((8,), batch_size=32, name="x")
    model = keras.Model(inputs, keras.layers.Dense(64)(keras.layers.Dense(64, "relu")(inputs)))
    rows = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    for given in ({"held_out": rows, "calibration": rows[:20]}, {"held_out": rows[:20]}):
        with pytest.raises(export.ExportError, match="'call' takes 32 rows at once, and there are 20"):
            export.save(model, tmp_path / "b", "onnx", reduction=export.Reduction("int8", **given))


def test_rows_of_a_fixed_batch_with_another_free_axis(tmp_path):
    inputs = keras.Input(batch_shape=(1, None, 8), name="x")
    model = keras.Model(inputs, keras.layers.Dense(128)(keras.layers.Dense(128)(inputs)))
    rows = np.random.default_rng(0).normal(size=(40, 7, 8)).astype(np.float32)
    manifest = export.save(model, tmp_path / "b", "onnx", reduction=export.Reduction("int8", rows))
    assert manifest["reduction"]["signatures"]["call"]["held_out"] == ["x"]


def test_rows_may_be_codes(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32,), name="latent")
    model = keras.Model(inputs, keras.layers.Dense(64)(keras.layers.Dense(64, "relu")(inputs)))
    rows = 100 * np.random.default_rng(0).normal(size=(40, 32)).astype(np.float32)
    manifest = export.save(model, tmp_path / "b", "onnx", reduction=export.Reduction("int8", rows, rows))
    assert manifest["reduction"]["signatures"]["call"]["held_out"] == ["latent"]


def test_distances_need_as_many_samples_as_they_do(tmp_path):
    model = Weighted(lambda x, w: x @ w, (32, 64))
    (weights,) = model.matrices
    count, seed = NamedTensor("n", (), "int64", (1, 16)), NamedTensor("seed", (), "int64", (0, 100))

    def sample(n, seed):
        noise = tf.random.stateless_normal(tf.stack([n, tf.constant(32, tf.int64)]), tf.stack([seed, 0]))
        return {"image": tf.reshape(tf.sigmoid(noise @ weights.value), [-1, 8, 8, 1])}

    outputs = (NamedTensor("image", ("n", 8, 8, 1), range=(0.0, 1.0)),)
    model.signatures = lambda: {"sample": Signature("sample", sample, (count, seed), outputs)}
    rows = np.random.default_rng(0).random((40, 8, 8, 1), np.float32)
    manifest = export.save(model, tmp_path / "b", "onnx", reduction=export.Reduction("float16", rows))
    measures = {figure["measure"] for figure in manifest["reduction"]["signatures"]["sample"]["drift"]}
    assert measures == {"pixel_difference", "mean_pixel_difference"}
