"""Many rows are run a part at a time where that gives the same, and whole where it would not."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import export
from export import manifest as manifests
from export import runtime
from zoo import random
from zoo.signature import COUNT, FIRST, SEED, NamedTensor, Signature

X, BANK, Y = NamedTensor("x", ("batch", 2)), NamedTensor("bank", ("k", 2)), NamedTensor("y", ("batch",))


def nearest(x, bank):
    return {"y": tf.reduce_min(tf.reduce_sum((x[:, None] - bank[None]) ** 2, -1), -1)}


def centred(z):
    return {"y": z - tf.reduce_mean(z, 0)}


def drawn(seed, n, first):
    return {"y": random.normal(tf.stack([tf.cast(n, tf.int32), 3]), seed, first=first)}


def drawn_from_0(seed, n, first):
    return {"y": random.normal(tf.stack([tf.cast(n, tf.int32), 3]), seed) + 0 * tf.cast(first, tf.float32)}


def scaled(x, n):
    return {"y": x[:, 0] * tf.cast(n, tf.float32)}


def positive(x):
    return {"y": tf.boolean_mask(x[:, 0], x[:, 0] > -100), "places": tf.where(x[:, 0] > 0)[:, 0]}


Z, DRAWN = NamedTensor("z", ("batch", 2)), NamedTensor("y", ("n", 3))
PLACES = NamedTensor("places", ("found",), "int64", (0, 2**31))
INDEPENDENT = [
    Signature("nearest", nearest, (X, BANK), (Y,)),
    Signature("drawn", drawn, (SEED, COUNT, FIRST), (DRAWN,)),
    Signature("scaled", scaled, (X, NamedTensor("n", (), "int64", (1, 9))), (Y,)),
]
WHOLE = [
    Signature("centred", centred, (Z,), (NamedTensor("y", ("batch", 2)),)),
    Signature("drawn_from_0", drawn_from_0, (SEED, COUNT, FIRST), (DRAWN,)),
    Signature("positive", positive, (X,), (Y, PLACES)),
]
MOST = {"x": (600, 2), "bank": (700, 2), "z": (512, 2)}


def inputs_for(signature: Signature) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    scalars = {"seed": np.array(3), "n": np.array(600 if signature.stochastic else 7), "first": np.array(8)}
    return {
        spec.name: scalars[spec.name] if not spec.shape else generator.normal(size=MOST[spec.name]).astype(spec.dtype)
        for spec in signature.inputs
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    model = keras.Model()
    model.signatures = lambda: {signature.name: signature for signature in (*INDEPENDENT, *WHOLE)}
    directory = tmp_path_factory.mktemp("batches") / "bundle"
    export.save(model, directory, "onnx")
    return directory


@pytest.mark.parametrize("signature", [*INDEPENDENT, *WHOLE], ids=lambda signature: signature.name)
def test_large_requests_give_what_the_model_gives(folder, signature, monkeypatch):
    given = inputs_for(signature)
    expected = {name: value.numpy() for name, value in signature.function(**given).items()}
    runs = []
    real = runtime.run_session
    monkeypatch.setattr(runtime, "run_session", lambda *how: runs.append(how) or real(*how))
    found = export.load(folder).run(signature.name, **given)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5)
    assert len(runs) == (3 if signature in INDEPENDENT else 1)
    assert manifests.read(folder)["signatures"][signature.name]["independent_rows"] == (signature in INDEPENDENT)


def test_bundles_that_do_not_say_are_run_whole(small_bundle, tmp_path, monkeypatch):
    copy = shutil.copytree(small_bundle, tmp_path / "old")
    manifest = manifests.read(copy)
    for described in manifest["signatures"].values():
        assert described.pop("independent_rows") == (described["outputs"][0]["name"] != "elbo")
    manifests.write(copy, manifest)
    sizes = []
    real = runtime.run_session
    monkeypatch.setattr(runtime, "run_session", lambda *how: sizes.append(int(how[1]["n"])) or real(*how))
    bundle = export.load(copy)
    images = bundle.sample(600, seed=1)
    assert sizes == [600]
    np.testing.assert_allclose(images, export.load(small_bundle).sample(600, seed=1), atol=1e-5)
    with pytest.raises(export.ExportError, match="Ask for fewer"):
        bundle.sample(10**9)
