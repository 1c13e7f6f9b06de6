"""Bundles: what is in them, and that nothing is left where a check fails."""

import dataclasses
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import onnx as onnx_package
import pytest
import tensorflow as tf
from example_models import MODELS

import export
import zoo
from export import manifest as manifests
from zoo import files
from zoo.errors import ZooError
from zoo.signature import NamedTensor, Signature


def test_contents(small_bundle, small_vae):
    names = {"encode", "decode", "reconstruct", "sample", "elbo"}
    manifest = json.loads((small_bundle / "manifest.json").read_text())
    assert set(manifest["signatures"]) == set(manifest["parity"]) == names == set(small_vae.signatures())
    assert {path.stem for path in (small_bundle / "onnx").iterdir()} == names
    assert (small_bundle / "card.md").exists()
    assert (small_bundle / "preview.png").read_bytes().startswith(b"\x89PNG")
    assert manifest["opset"] == 18
    assert {"tensorflow", "keras", "onnx", "tf2onnx"} <= set(manifest["versions"])
    assert set(manifest["files"]) == set(manifests.hashes(small_bundle))
    assert all(value < 1e-4 for found in manifest["parity"].values() for value in found.values())
    sample = manifest["signatures"]["sample"]
    assert [(spec["name"], spec["shape"], spec["dtype"]) for spec in sample["inputs"]] == [
        ("seed", [], "int64"),
        ("n", [], "int64"),
        ("temperature", [], "float32"),
        ("first", [], "int64"),
    ]
    encode = manifest["signatures"]["encode"]
    assert [spec["name"] for spec in encode["outputs"]] == ["loc", "scale"]
    assert encode["outputs"][1]["range"] == [0.0, None]


def test_onnx_files_have_declared_names_and_free_axes(small_bundle, small_vae):
    for name, signature in small_vae.signatures().items():
        graph = onnx_package.load(small_bundle / "onnx" / f"{name}.onnx").graph
        for values, specs in ((graph.input, signature.inputs), (graph.output, signature.outputs)):
            for value, spec in zip(values, specs, strict=True):
                axes = tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim)
                assert (value.name, axes) == (spec.name, spec.shape)


def test_the_same_seed_gives_the_same_images_everywhere(small_bundle, small_vae):
    loaded = tf.saved_model.load(str(small_bundle / "saved_model"))
    bundle = export.load(small_bundle)
    for n, seed in ((1, 0), (5, 7), (300, 2**62)):
        ours = small_vae.sample(n, seed=seed)
        theirs = loaded.signatures["sample"](n=tf.constant(n, tf.int64), seed=tf.constant(seed, tf.int64))["image"]
        np.testing.assert_allclose(theirs, ours, atol=1e-5)
        np.testing.assert_allclose(bundle.sample(n, seed=seed), ours, atol=1e-5)


def test_any_keras_model_exports_as_call(tmp_path):
    left, right = keras.Input((4,), name="left"), keras.Input((None, 3), name="right")
    joined = keras.layers.Concatenate()([left, keras.layers.GlobalAveragePooling1D()(right)])
    model = keras.Model({"left": left, "right": right}, [keras.layers.Dense(2)(joined), joined])
    manifest = export.save(model, tmp_path / "bundle")
    assert list(manifest["signatures"]) == ["call"]
    inputs = {"left": np.ones((5, 4), np.float32), "right": np.ones((5, 7, 3), np.float32)}
    got = export.load(tmp_path / "bundle").run("call", **inputs)
    for value, expected in zip(got.values(), model(inputs), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-5)
    assert not (tmp_path / "bundle" / "preview.png").exists()


def test_integer_inputs_are_not_limited_to_those_of_the_check(tmp_path):
    numbers = keras.Input((4,), dtype="int32", name="my numbers")
    model = keras.Model(numbers, keras.layers.Rescaling(0.5)(numbers))
    export.save(model, tmp_path / "bundle", "onnx")
    values = np.array([[5, -6, 7, 49]], np.int32)
    got = export.load(tmp_path / "bundle").run("call", my_numbers=values)["output"]
    np.testing.assert_allclose(got, model(values), atol=1e-6)


@pytest.mark.parametrize("dtype, first, last", [("int32", -200, 199), ("int8", -128, 127), ("uint8", 0, 199)])
def test_ids_range_over_the_tables_that_take_them(tmp_path, dtype, first, last):
    ids = keras.Input((4,), dtype=dtype, name="ids")
    both = keras.layers.Add()([keras.layers.Embedding(size, 3)(ids) for size in (500, 200)])
    model = keras.Model(ids, keras.layers.Dense(2)(both))
    export.save(model, tmp_path / "bundle", "onnx")
    bundle, values = export.load(tmp_path / "bundle"), np.array([[first, 6, 7, last]], dtype)
    np.testing.assert_allclose(bundle.run("call", ids=values)["output"], model(values), atol=1e-6)
    assert bundle.signatures["call"].inputs[0].range == (first, last)
    with pytest.raises(export.ExportError, match=f"expected {first} to {last}"):
        bundle.run("call", ids=values.astype(np.int64) + 1)


def test_ids_that_a_layer_of_ones_own_folds_have_no_range(tmp_path):
    class Folding(keras.layers.Embedding):
        def call(self, inputs):
            return super().call(inputs % self.input_dim)

    ids = keras.Input((4,), dtype="int32", name="ids")
    export.save(keras.Model(ids, Folding(50, 3)(ids)), tmp_path / "bundle", "onnx")
    bundle = export.load(tmp_path / "bundle")
    found = bundle.run("call", ids=np.array([[1000, 0, 1, 2]], np.int32))["output"]
    np.testing.assert_array_equal(found[0, 0], found[0, 1])


@pytest.mark.parametrize("names", [("n", "seed"), ("x-1", "1st"), ("self", "class")])
def test_awkward_input_names(tmp_path, names):
    inputs = [keras.Input((3,), name=name) for name in names]
    export.save(keras.Model(inputs, keras.layers.Add()(inputs)), tmp_path / "bundle")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_models_of_mixed_precision_are_exported_in_float32(tmp_path, policy):
    import zoo

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        networks = zoo.networks
        model = zoo.VAE(networks.conv_encoder((8, 8, 1), (4,), 8), networks.conv_decoder(2, (8, 8, 1), (4,), 8))
        export.save(model, tmp_path / "bundle")
        assert keras.config.dtype_policy().name == policy
    finally:
        keras.config.set_dtype_policy(before)
    again = zoo.VAE(networks.conv_encoder((8, 8, 1), (4,), 8), networks.conv_decoder(2, (8, 8, 1), (4,), 8))
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(export.load(tmp_path / "bundle").sample(4), again.sample(4), atol=1e-5)


def test_branches_and_loops_that_capture_inputs_and_outputs(tmp_path):
    def function(x):
        z = x * 7.0
        branch = tf.cond(tf.reduce_sum(x) > 0, lambda: z * 2, lambda: x * 3)
        loop = tf.while_loop(lambda i, _: i < 3, lambda i, total: (i + 1, total + z + x), (0, x))[1]
        return {"z": z, "y": branch, "loop": loop}

    model = keras.Model()
    outputs = tuple(NamedTensor(name, ("batch",)) for name in ("y", "z", "loop"))
    signature = Signature("flow", function, (NamedTensor("x", ("batch",)),), outputs)
    model.signatures = lambda: {"flow": signature}
    export.save(model, tmp_path / "bundle")
    got = export.load(tmp_path / "bundle").run("flow", x=np.array([1.0, 2.0], np.float32))
    assert list(got) == ["y", "z", "loop"]
    np.testing.assert_allclose(got["loop"], [25, 50])
    np.testing.assert_allclose(got["y"], [14, 28])


def nothing_left(folder) -> bool:
    return not any(folder.iterdir())


class Planted(keras.Model):
    """A model with one signature of one's choice."""

    def __init__(self, function, output=None):
        super().__init__()
        output = output or NamedTensor("y", ("batch",))
        self.signature = Signature("broken", function, (NamedTensor("x", ("batch",)),), (output,))

    def signatures(self):
        return {"broken": self.signature}


def test_an_op_without_counterpart_is_named(tmp_path):
    model = Planted(lambda x: {"y": tf.math.bessel_i0e(x, name="my_bessel")})
    with pytest.raises(
        export.ExportError, match=r"'broken', node my_bessel/BesselI0e: BesselI0e has no counterpart.*register_op"
    ):
        export.save(model, tmp_path / "bundle")
    assert nothing_left(tmp_path)


def test_a_graph_that_the_checker_refuses(tmp_path, monkeypatch):
    import export.onnx as module

    real = module.convert

    def spoiled(signature, *how, **options):
        model = real(signature, *how, **options)
        model.graph.node[0].input[0] = "nowhere"
        return model

    monkeypatch.setattr(module, "convert", spoiled)
    with pytest.raises(export.ExportError, match=r"checker refuses.*nowhere"):
        export.save(Planted(lambda x: {"y": x + 1}), tmp_path / "bundle")
    assert nothing_left(tmp_path)


def test_a_graph_that_onnx_runtime_refuses(tmp_path, monkeypatch):
    import export.onnx as module

    real = module.convert

    def spoiled(signature, *how, **options):
        # Valid ONNX, but ONNX Runtime has no kernel for it in float64.
        model = real(signature, *how, **options)
        helper, kinds = onnx_package.helper, onnx_package.TensorProto
        model.graph.node.append(helper.make_node("Cast", ["x"], ["wide"], to=kinds.DOUBLE))
        model.graph.node.append(helper.make_node("Acosh", ["wide"], ["unused"]))
        return model

    monkeypatch.setattr(module, "convert", spoiled)
    with pytest.raises(export.ExportError, match=r"ONNX Runtime refuses.*Acosh"):
        export.save(Planted(lambda x: {"y": x + 1}), tmp_path / "bundle")
    assert nothing_left(tmp_path)


def test_a_graph_that_fails_when_run(tmp_path, monkeypatch):
    import export.onnx as module

    real = module.convert

    def spoiled(signature, *how, **options):
        model = real(signature, *how, **options)
        helper = onnx_package.helper
        model.graph.node.append(helper.make_node("Constant", [], ["size"], value_ints=[7]))
        model.graph.node.append(helper.make_node("Reshape", ["x", "size"], ["unused"]))
        return model

    monkeypatch.setattr(module, "convert", spoiled)
    with pytest.raises(export.ExportError, match=r"'broken': ONNX Runtime fails on it.*Reshape"):
        export.save(Planted(lambda x: {"y": x + 1}), tmp_path / "bundle")
    assert nothing_left(tmp_path)


def test_outputs_of_another_shape_are_refused(tmp_path, monkeypatch):
    import export.onnx as module

    real = module.write
    rows = NamedTensor("y", ("rows",))  # an axis that no input has
    shorter = Planted(lambda x: {"y": 0 * x[:1] + 1}, rows).signature
    monkeypatch.setattr(module, "write", lambda _, path, *how, **options: real(shorter, path, *how, **options))
    with pytest.raises(export.ExportError, match=r"'y' has shape \[1\], and that of the model \[3\]"):
        export.save(Planted(lambda x: {"y": 0 * x + 1}, rows), tmp_path / "bundle", ["onnx"])
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    "dtype, value", [("int32", 2**32 + 5), ("uint8", -1), ("float32", 1e300), ("int64", np.uint64(2**64 - 1))]
)
def test_numbers_that_an_input_cannot_hold_are_refused(dtype, value):
    for values in (np.array([value]), np.array([0, value], np.asarray(value).dtype)):
        with pytest.raises(ZooError, match=f"'x' of 'any' has dtype {dtype}, and its values are beyond it: they"):
            NamedTensor("x", ("batch",), dtype).checked(values, "any")
    for value in (np.inf, -np.inf) if dtype == "float32" else ():
        assert NamedTensor("x", ("batch",), dtype).checked(np.array([value]), "any") == value


def test_what_came_to_the_target_meanwhile_is_kept(tmp_path, monkeypatch):
    import export.bundle as module

    real = module._write

    def slow(*how):
        (tmp_path / "bundle").mkdir()
        (tmp_path / "bundle" / "thesis.txt").write_text("all of it")
        return real(*how)

    monkeypatch.setattr(module, "_write", slow)
    with pytest.raises(export.ExportError, match="is there already"):
        export.save(Planted(lambda x: {"y": x + 1}), tmp_path / "bundle")
    assert [path.name for path in tmp_path.rglob("*")] == ["bundle", "thesis.txt"]


def test_an_unknown_op_in_the_graph_is_named():
    import export.onnx as module

    model = module.convert(Planted(lambda x: {"y": x + 1}).signature)
    model.graph.node[0].op_type = "Frobnicate"
    with pytest.raises(export.ExportError, match="Frobnicate is not an ONNX op"):
        module.check(model, "broken")


def test_a_difference_beyond_tolerance_is_located(tmp_path, monkeypatch):
    import export.onnx as module

    real = module.write
    shifted = Planted(lambda x: {"y": x + 0.5 * tf.cast(tf.range(tf.shape(x)[0]) == 1, tf.float32)}).signature
    monkeypatch.setattr(module, "write", lambda _, path, *how, **options: real(shifted, path, *how, **options))
    model = Planted(lambda x: {"y": x + 0.0})
    with pytest.raises(export.ExportError, match=r"'broken' in onnx: output 'y' differs .* at \[1\]"):
        export.save(model, tmp_path / "bundle", ["onnx"])
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("scale", [1e-4, 1.0])
def test_differences_count_in_outputs_of_any_size(tmp_path, monkeypatch, scale):
    import export.onnx as module

    real = module.write
    other = Planted(lambda x: {"y": 1.2 * scale * tf.sigmoid(x)}).signature
    monkeypatch.setattr(module, "write", lambda _, path, *how, **options: real(other, path, *how, **options))
    with pytest.raises(export.ExportError, match="'broken' in onnx: output 'y' differs"):
        export.save(Planted(lambda x: {"y": scale * tf.sigmoid(x)}), tmp_path / "bundle", ["onnx"])


@pytest.mark.parametrize(
    "dtype, value, other",
    [("int32", 20_000, 20_001), ("int64", 2**60, 2**60 + 1), ("uint8", 255, 254), ("bool", True, False)],
)
def test_integers_and_booleans_have_to_be_equal(tmp_path, monkeypatch, dtype, value, other):
    import export.onnx as module

    def constant(number):
        return lambda x: {"y": tf.fill(tf.shape(x), tf.constant(number, dtype))}

    model, real = Planted(constant(value), NamedTensor("y", ("batch",), dtype)), module.write
    shifted = dataclasses.replace(model.signature, function=constant(other))
    monkeypatch.setattr(module, "write", lambda _, path, *how, **options: real(shifted, path, *how, **options))
    with pytest.raises(export.ExportError, match=rf"allowed 0\) at \[0\]: {other} instead of {value}"):
        export.save(model, tmp_path / "bundle", ["onnx"])
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    "function, output, message",
    [
        (lambda x: {"z": x}, NamedTensor("y", ("batch",)), "outputs are"),
        (lambda x: {"y": tf.cast(x, tf.float64)}, NamedTensor("y", ("batch",)), "dtype float64"),
        (lambda x: {"y": x[:1]}, NamedTensor("y", ("batch",)), r"shape \(1,\)"),
        (lambda x: {"y": x / 0.0}, NamedTensor("y", ("batch",)), "not finite"),
        (lambda x: {"y": x + 9}, NamedTensor("y", ("batch",), range=(0, 1)), "ranges from"),
    ],
)
def test_a_model_that_breaks_its_own_declaration(tmp_path, function, output, message):
    with pytest.raises(export.ExportError, match=message):
        export.save(Planted(function, output), tmp_path / "bundle")
    assert nothing_left(tmp_path)


def test_noise_without_a_seed_is_refused(tmp_path):
    model = Planted(lambda x: {"y": x + 1e-5 * tf.random.normal(tf.shape(x))})
    with pytest.raises(export.ExportError, match=r"node .*: RandomNormalLike draws random numbers without a seed"):
        export.save(model, tmp_path / "bundle")
    assert nothing_left(tmp_path)


def test_two_runs_that_differ_are_found(tmp_path):
    model = keras.Model()
    seed, image = NamedTensor("seed", (), "int64", (0, 9)), NamedTensor("y", ())
    function = lambda seed: {"y": 1e-5 * tf.random.uniform(()) + tf.cast(seed, tf.float32)}  # noqa: E731
    model.signatures = lambda: {"draw": Signature("draw", function, (seed,), (image,))}
    with pytest.raises(export.ExportError, match="two runs with one seed differ"):
        export.save(model, tmp_path / "bundle", ["saved_model"])
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(("dtype", "ends"), [("int16", (3, 7)), ("int32", (100, 999)), ("uint32", (0, 2**32 - 1))])
def test_seeds_are_of_their_own_dtype_and_range(tmp_path, dtype, ends):
    def drawn(seed, x):
        if tf.executing_eagerly():
            assert ends[0] <= int(seed) <= ends[1]
        words = tf.stack([tf.cast(seed, tf.int64), 0])
        return {"y": x + tf.random.stateless_uniform(tf.shape(x), words)}

    inputs = NamedTensor("seed", (), dtype, ends), NamedTensor("x", ("batch", 3))
    signature = Signature("call", drawn, inputs, (NamedTensor("y", ("batch", 3)),))
    model = keras.Model()
    model.signatures = lambda: {"call": signature}
    export.save(model, tmp_path / "bundle")
    export.verify(tmp_path / "bundle")


def test_a_transposed_axis_is_found(tmp_path):
    model = keras.Model()
    square = ("batch", "width")
    signature = Signature(
        "t", lambda x: {"y": tf.transpose(x)}, (NamedTensor("x", square),), (NamedTensor("y", square),)
    )
    model.signatures = lambda: {"t": signature}
    with pytest.raises(export.ExportError, match="output 'y' has shape"):
        export.save(model, tmp_path / "bundle")


def test_a_seed_without_effect_is_found(tmp_path):
    model = keras.Model()
    seed, image = NamedTensor("seed", (), "int64", (0, 9)), NamedTensor("y", ())
    signature = Signature("draw", lambda seed: {"y": tf.cast(seed * 0, tf.float32)}, (seed,), (image,))
    model.signatures = lambda: {"draw": signature}
    with pytest.raises(export.ExportError, match="it has no effect"):
        export.save(model, tmp_path / "bundle")
    assert nothing_left(tmp_path)


def test_a_model_that_cannot_sample_yet_is_exported_with_a_warning(tmp_path, cli):
    model = zoo.Autoencoder(zoo.networks.mlp_encoder((8, 8, 1), (4,)), zoo.networks.mlp_decoder(2, (8, 8, 1), (4,)))
    with pytest.warns(UserWarning, match=r"has encode, decode, reconstruct alone.*call fit_latent_density\(images\)"):
        export.save(model, tmp_path / "bundle", ["saved_model"])
    assert "fit_latent_density(images)" in (tmp_path / "bundle" / "card.md").read_text()
    model.save(tmp_path / "model.keras")
    said = cli("export", str(tmp_path / "model.keras"), "-o", str(tmp_path / "again"), "--formats", "saved_model").error
    assert "warning: The bundle has encode, decode, reconstruct alone" in said


def test_the_card_of_a_bundle_without_onnx_loads_its_saved_model(small_vae, tmp_path):
    export.save(small_vae, tmp_path / "bundle", "saved_model", signatures=["decode"])
    assert (
        "tf.saved_model.load(\"saved_model\").signatures['decode']\n" in (tmp_path / "bundle" / "card.md").read_text()
    )


def test_the_card_of_a_conditional_model_asks_for_a_label(tmp_path):
    export.save(MODELS["ConditionalVAE"](), tmp_path / "bundle", "onnx")
    assert "bundle.sample(16, seed=0, label=1)" in (tmp_path / "bundle" / "card.md").read_text()


def test_signatures_are_names(tmp_path, small_vae):
    with pytest.raises(export.ExportError, match="signatures are 3, expected a list of some of: encode"):
        export.save(small_vae, tmp_path / "bundle", signatures=3)
    assert nothing_left(tmp_path)


def test_targets_and_formats(tmp_path, small_vae, small_bundle):
    with pytest.raises(export.ExportError, match="is there already"):
        export.save(small_vae, small_bundle)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(export.ExportError, match="is no bundle, and is not overwritten"):
        export.save(small_vae, tmp_path / "mine", overwrite=True)
    (tmp_path / "mine" / "manifest.json").write_text('{"name": "my web application"}')
    with pytest.raises(export.ExportError, match="is no bundle, and is not overwritten"):
        export.save(small_vae, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").exists()
    with pytest.raises(export.ExportError, match="unknown format 'onx'"):
        export.save(small_vae, tmp_path / "new", ["onx"])
    with pytest.raises(export.ExportError, match=r"reduction is 'float16', expected export\.Reduction"):
        export.save(small_vae, tmp_path / "new", reduction="float16")
    with pytest.raises(export.ExportError, match="licence and notes are 5 and '', expected texts"):
        export.save(small_vae, tmp_path / "new", licence=5)
    with pytest.raises(export.ExportError, match=r"formats is None\. Give one or a list of: saved_model, onnx"):
        export.save(small_vae, tmp_path / "new", formats=None)
    with pytest.raises(export.ExportError, match=r"does not know its inputs. Wrap it: x = keras.Input"):
        export.save(keras.Sequential([keras.layers.Dense(1)]), tmp_path / "new")
    copy = shutil.copytree(small_bundle, tmp_path / "copy")
    (copy / "notes.txt").write_text("precious")
    with pytest.raises(export.ExportError, match=r"files of your own \(notes\.txt\)"):
        export.save(small_vae, copy, overwrite=True)
    (copy / "notes.txt").unlink()
    export.save(small_vae, copy, ["onnx"], overwrite=True)
    assert not (copy / "saved_model").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "mine"]
    export.verify(copy)


class Unbuilt(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, x):
        return self.dense(x)

    def signatures(self):
        specs = (NamedTensor("x", ("batch", 4)),), (NamedTensor("y", ("batch", 3)),)
        return {"double": Signature("double", lambda x: {"y": 2 * self(x)}, *specs)}


def test_a_model_that_was_never_built_is_not_exported_with_random_weights(tmp_path):
    model = Unbuilt()
    with pytest.raises(export.ExportError, match="was not built: it made weights just now"):
        export.save(model, tmp_path / "new", "onnx")
    assert not any(tmp_path.iterdir())
    export.save(model, tmp_path / "new", "onnx")
    with pytest.raises(export.ExportError, match="was not built: it made weights just now"):
        export.check_exportable(Unbuilt())


@pytest.fixture
def old(tmp_path, small_bundle):
    """A bundle to replace, in a folder of its own."""
    return shutil.copytree(small_bundle, tmp_path / "parent" / "old")


def small_model() -> keras.Model:
    return Planted(lambda x: {"y": 2 * x})


@pytest.mark.parametrize(
    "step, moved, replaced", [(1, False, False), (1, True, False), (2, False, False), (2, True, True)]
)
def test_an_interruption_leaves_one_of_two_bundles_whole(old, monkeypatch, step, moved, replaced):
    """At each of the steps by which a folder is replaced where two cannot be exchanged at once."""
    before, real, calls = manifests.read(old), Path.replace, []

    def interrupted(source: Path, target: Path) -> Path:
        calls.append(source)
        if len(calls) == step and not moved:
            raise KeyboardInterrupt
        result = real(source, target)
        if len(calls) == step:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(files, "_exchanged", lambda *_: False)
    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export.save(small_model(), old, "onnx", overwrite=True)
    assert calls
    export.verify(old)
    assert (manifests.read(old) != before) == replaced
    assert [path.name for path in old.parent.iterdir()] == ["old"]


def test_two_folders_are_exchanged_at_once_where_linux_can(old, monkeypatch):
    real = files._exchanged

    def interrupted(*folders: Path) -> bool:
        assert real(*folders)
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_exchanged", interrupted)
    monkeypatch.setattr(Path, "replace", lambda *_: pytest.fail("moved in two steps"))
    with pytest.raises(KeyboardInterrupt):
        export.save(small_model(), old, "onnx", overwrite=True)
    assert list(manifests.read(old)["signatures"]) == ["broken"]
    assert [path.name for path in old.parent.iterdir()] == ["old"]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_link_to_a_bundle_stays_one(old, tmp_path, monkeypatch, at_once):
    if not at_once:
        monkeypatch.setattr(files, "_exchanged", lambda *_: False)
    link = tmp_path / "link"
    link.symlink_to(old)
    export.save(small_model(), link, "onnx", overwrite=True)
    assert link.is_symlink()
    assert list(manifests.read(old)["signatures"]) == ["broken"]
    assert {path.name for folder in (tmp_path, old.parent) for path in folder.iterdir()} == {"link", "old", "parent"}
    shutil.rmtree(old)
    with pytest.raises(export.ExportError, match="link is a link to what is not there"):
        export.save(small_model(), link, "onnx", overwrite=True)


def test_what_cannot_be_deleted_does_not_fail_the_export(old, monkeypatch):
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with pytest.warns(UserWarning, match=r"what it replaced cannot be deleted: it is left in .*\.partial-"):
        export.save(small_model(), old, "onnx", overwrite=True)
    assert list(manifests.read(old)["signatures"]) == ["broken"]
    (left,) = old.parent.glob(".partial-*")
    export.verify(left)
