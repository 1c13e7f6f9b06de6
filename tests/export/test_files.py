"""What stands in the files: opsets, metadata, weights, endpoints; and what does not: where they were made."""

import getpass
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx as onnx_package
import pytest
import tensorflow as tf
from example_models import MODELS
from PIL import Image

import export
from export import external_data, onnx
from export import manifest as manifests
from export.external_data import files_of
from export.opsets import opsets
from export.session import open_session


@pytest.fixture(scope="module")
def vae():
    return MODELS["VAE"]()


NEWEST = opsets()[-1]


@pytest.mark.parametrize("opset", [15, 18, 21, NEWEST])
def test_the_opset_is_the_one_asked_for(vae, opset, tmp_path):
    manifest = export.save(vae, tmp_path / "bundle", "onnx", signatures=["decode"], opset=opset)
    file = onnx_package.load(tmp_path / "bundle" / "onnx" / "decode.onnx")
    assert [entry.version for entry in file.opset_import] == [opset] == [manifest["opset"]]
    assert file.ir_version >= onnx_package.helper.find_min_ir_version_for(list(file.opset_import))
    assert manifest["signatures"].keys() == {"decode"}
    assert manifest["parity"]["decode"]["onnx"] < 1e-5


def test_seeded_draws_have_newer_opsets_too(vae, tmp_path):
    export.save(vae, tmp_path / "bundle", "onnx", signatures="sample", opset=NEWEST)
    np.testing.assert_allclose(export.load(tmp_path / "bundle").sample(3, seed=5), vae.sample(3, seed=5), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": 12}, "opset is 12, expected an integer from 13"),
        ({"opset": 99}, "opset is 99, expected"),
        ({"opset": NEWEST + 1}, rf"opset is {NEWEST + 1}, .* to {NEWEST}, the newest that ONNX Runtime [0-9.]+ loads"),
        ({"opset": 17, "signatures": "sample"}, "Opset 17 may lack an op that opset 18 has"),
        ({"signatures": ["decode", "dream"]}, "no signature 'dream'. The model has: encode, decode"),
        ({"signatures": []}, "no signature is given"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(vae, options, message, tmp_path):
    with pytest.raises(export.ExportError, match=message):
        export.save(vae, tmp_path / "bundle", "onnx", **options)
    assert not any(tmp_path.iterdir())


def test_the_newest_opset_is_the_last_that_onnx_runtime_loads():
    assert 21 <= NEWEST <= onnx_package.defs.onnx_opset_version()
    model = onnx.convert(MODELS["VAE"]().signatures()["decode"])
    model.opset_import[0].version = NEWEST + 1
    with pytest.raises(export.ExportError, match="ONNX Runtime refuses the graph"):
        open_session(model.SerializeToString(), "decode")


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


@pytest.mark.parametrize("tag", [b"\xea\x80\x80\x80\x10", b"\x02"], ids=["more than 32 bits", "0"])
def test_fields_that_readers_may_take_for_others_are_refused(tag):
    field = tag + b"\x01a"
    with pytest.raises(ValueError, match="a field of the number"):
        list(external_data._fields(memoryview(field)))


@pytest.mark.parametrize(
    "location", ["secret.bin", "../secret.bin", "{absolute}", "./decode.onnx.data", "other.onnx.data"]
)
def test_weights_from_elsewhere_are_refused(vae, location, tmp_path, monkeypatch):
    """A manifest that is sealed anew does not help: no file but the one beside the graph is read."""
    monkeypatch.setattr(onnx, "EXTERNAL_ABOVE", 1000)
    bundle = tmp_path / "bundle"
    export.save(vae, bundle, "onnx", signatures="decode")
    path, weights = bundle / "onnx" / "decode.onnx", bundle / "onnx" / "decode.onnx.data"
    location = location.format(absolute=tmp_path / "secret.bin")
    (tmp_path / "work").mkdir()
    for place in (tmp_path / "secret.bin", tmp_path / "work" / "secret.bin", bundle / "onnx" / "other.onnx.data"):
        shutil.copy(weights, place)
    monkeypatch.chdir(tmp_path / "work")
    model = onnx_package.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in (each for each in tensor.external_data if each.key == "location"):
            entry.value = location
    path.write_bytes(model.SerializeToString())
    if location == "secret.bin":
        weights.unlink()  # so that nothing but the graph says that there is a file of weights
    manifests.write(bundle, {**manifests.read(bundle), "files": manifests.hashes(bundle)})
    message = re.escape(f"takes weights from '{location}', expected from 'decode.onnx.data' beside it alone")
    with pytest.raises(export.ExportError, match=message):
        export.load(bundle).run("decode", latent=np.zeros((1, 3), np.float32))
    with pytest.raises(export.ExportError, match=message):
        export.verify(bundle)


def test_weights_are_found_wherever_a_graph_keeps_tensors():
    helper = onnx_package.helper

    def tensor(name):
        found = onnx_package.TensorProto(name=name, data_type=1, dims=[1], data_location=1)
        found.external_data.add(key="offset", value="4")
        found.external_data.add(key="location", value=f"{name}.bin")
        return found

    sparse = onnx_package.SparseTensorProto(values=tensor("values"), indices=tensor("indices"), dims=[1])
    body = helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor("inside"))], "body", [], [])
    graph = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=body)], "graph", [], [])
    graph.initializer.append(tensor("initializer"))
    graph.sparse_initializer.append(sparse)
    graph.node.append(helper.make_node("Many", [], [], domain="mine", tensors=[tensor("first"), tensor("second")]))
    model = helper.make_model(graph, doc_string="location")
    nodes = [helper.make_node("Constant", [], ["c"], value=tensor("function"))]
    model.functions.append(helper.make_function("mine", "f", [], ["c"], nodes, []))
    model.training_info.add().algorithm.CopyFrom(helper.make_graph([], "a", [], [], [tensor("training")]))
    names = ["values", "indices", "inside", "initializer", "first", "second", "function", "training"]
    content = model.SerializeToString()
    assert files_of(content, "model") == {f"{name}.bin" for name in names}
    for damaged in (content[:-1], b"\xff" * 20, b"\x0b" + content, b"\x08"):
        with pytest.raises(export.ExportError, match="model is no ONNX file, or damaged"):
            files_of(damaged, "model")


def test_the_default_endpoint_draws(small_bundle):
    endpoints = tf.saved_model.load(str(small_bundle / "saved_model")).signatures
    draw = {"seed": tf.constant(3, tf.int64), "n": tf.constant(2, tf.int64)}
    np.testing.assert_array_equal(endpoints["serving_default"](**draw)["image"], endpoints["sample"](**draw)["image"])


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yields all that a bundle holds: its files, and what is compressed in arrays and pictures as it is without."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        yield path.name, content
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    yield f"{path.name}: {member.filename}", member.filename.encode() + member.extra + member.comment
                    yield f"{path.name}: {member.filename}", archive.read(member)
        elif path.suffix == ".png":
            image = Image.open(path)
            yield f"{path.name}: pixels", image.tobytes()
            yield f"{path.name}: texts", repr(image.info).encode()


@pytest.fixture(params=["small", "with weights beside", "float16", "int8", "int8, calibrated"])
def any_bundle(request, small_vae, small_bundle, digits, tmp_path, monkeypatch):
    """A bundle of each kind, all but the first with weights beside some of its graphs, and whether it is reduced."""
    kind, *calibrated = request.param.split(", ")
    if kind == "small":
        return small_bundle, False
    monkeypatch.setattr(onnx, "EXTERNAL_ABOVE", 5_000)
    rows = {"held_out": digits[1000:1100], "calibration": digits[:100] if calibrated else None}
    reduced = kind in ("float16", "int8")
    reduction = export.Reduction(kind, allow_drift=True, **rows) if reduced else None
    export.save(small_vae, tmp_path / "bundle", reduction=reduction)
    assert {path.suffix for path in (tmp_path / "bundle" / "onnx").iterdir()} == {".onnx", ".data"}
    return tmp_path / "bundle", reduced


def test_no_file_says_where_it_was_made(any_bundle):
    bundle, reduced = any_bundle
    places = {str(Path.cwd()), str(Path.home()), sys.prefix, str(bundle.parent), socket.gethostname()}
    users = {os.environ.get("USER", ""), getpass.getuser()} - {"root"}  # a word that graphs hold
    places |= {tempfile.gettempdir() + os.sep, *users}
    places = {place.encode() for place in places if len(place) > 3}
    seen = set()
    for where, content in contents(bundle):
        assert not [place for place in places if place in content], where
        seen.add(where)
    assert {"reference.npz", "preview.png: pixels", "manifest.json", "sample.onnx"} <= seen
    assert any(where.startswith("reference.npz: sample/") for where in seen)
    assert ("reference_reduced.npz" in seen) == reduced
