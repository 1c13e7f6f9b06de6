"""What stands in the files: opsets, metadata, weights, endpoints; and what does not: where they were made."""

import getpass
import json
import os
import socket
import sys
from pathlib import Path

import numpy as np
import onnx as onnx_package
import pytest
import tensorflow as tf
from example_models import MODELS

import export
from export import manifest as manifests
from export import onnx


@pytest.fixture(scope="module")
def vae():
    return MODELS["VAE"]()


@pytest.mark.parametrize("opset", [15, 18, 21])
def test_the_opset_is_the_one_asked_for(vae, opset, tmp_path):
    manifest = export.save(vae, tmp_path / "bundle", "onnx", signatures=["decode"], opset=opset)
    file = onnx_package.load(tmp_path / "bundle" / "onnx" / "decode.onnx")
    assert [entry.version for entry in file.opset_import] == [opset] == [manifest["opset"]]
    assert manifest["signatures"].keys() == {"decode"}
    assert manifest["parity"]["decode"]["onnx"] < 1e-5


def test_seeded_draws_have_newer_opsets_too(vae, tmp_path):
    export.save(vae, tmp_path / "bundle", "onnx", signatures="sample", opset=21)
    np.testing.assert_allclose(export.load(tmp_path / "bundle").sample(3, seed=5), vae.sample(3, seed=5), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": 12}, "opset is 12, expected an integer from 13"),
        ({"opset": 99}, "opset is 99, expected"),
        ({"opset": 17, "signatures": "sample"}, "Opset 17 may lack an op that opset 18 has"),
        ({"signatures": ["decode", "dream"]}, "no signature 'dream'. The model has: encode, decode"),
        ({"signatures": []}, "no signature is given"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(vae, options, message, tmp_path):
    with pytest.raises(export.ExportError, match=message):
        export.save(vae, tmp_path / "bundle", "onnx", **options)
    assert not any(tmp_path.iterdir())


def test_metadata(vae, tmp_path):
    export.save(vae, tmp_path / "bundle", "onnx", signatures="decode", licence="MIT")
    file = onnx_package.load(tmp_path / "bundle" / "onnx" / "decode.onnx")
    texts = {entry.key: entry.value for entry in file.metadata_props}
    assert texts["license"] == "MIT"
    assert file.producer_name == "genzoo"
    described = json.loads(texts["signature"])
    assert described["name"] == "decode"
    assert described["inputs"][0]["shape"] == ["batch", 3]
    assert "Licence: MIT" in (tmp_path / "bundle" / "card.md").read_text()


def test_large_files_keep_their_weights_beside_them(vae, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "EXTERNAL_ABOVE", 1000)
    export.save(vae, tmp_path / "bundle")
    files = manifests.read(tmp_path / "bundle")["files"]
    assert {"onnx/sample.onnx", "onnx/sample.onnx.data"} <= set(files)
    export.verify(tmp_path / "bundle")
    (tmp_path / "bundle").rename(tmp_path / "moved")
    bundle = export.load(tmp_path / "moved")
    np.testing.assert_allclose(bundle.sample(3, seed=5), vae.sample(3, seed=5), atol=1e-5)
    weights = tmp_path / "moved" / "onnx" / "decode.onnx.data"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(export.ExportError, match=r"decode\.onnx\.data is altered or truncated"):
        bundle.run("decode", latent=np.zeros((1, 3), np.float32))


def test_the_default_endpoint_draws(small_bundle):
    endpoints = tf.saved_model.load(str(small_bundle / "saved_model")).signatures
    draw = {"seed": tf.constant(3, tf.int64), "n": tf.constant(2, tf.int64)}
    np.testing.assert_array_equal(endpoints["serving_default"](**draw)["image"], endpoints["sample"](**draw)["image"])


def test_no_file_says_where_it_was_made(small_bundle):
    places = {str(Path.cwd()), str(Path.home()), sys.prefix, str(small_bundle.parent), socket.gethostname()}
    places |= {os.environ.get("USER", ""), getpass.getuser()} - {"root"}  # a word that graphs hold
    places = {place.encode() for place in places if len(place) > 3}
    for path in small_bundle.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [place for place in places if place in content], path
