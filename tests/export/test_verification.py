"""`export.verify` finds whatever was changed."""

import json
import os
import shutil

import keras
import numpy as np
import onnx
import pytest

import export
from export import manifest as manifests


@pytest.fixture
def bundle(small_bundle, tmp_path):
    return shutil.copytree(small_bundle, tmp_path / "bundle")


def test_an_untouched_bundle_passes(bundle):
    found = export.verify(bundle)
    assert set(found["sample"]) == {"onnx", "saved_model"}


def test_a_flipped_byte_is_found_in_every_file(bundle):
    for name in json.loads((bundle / "manifest.json").read_text())["files"]:
        path = bundle / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(export.ExportError, match="altered or truncated"):
            export.verify(bundle)
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    export.verify(bundle)


def test_a_flipped_byte_is_found_anywhere_in_the_manifest(bundle):
    path = bundle / "manifest.json"
    content = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(content), 200):
        flipped = bytearray(content)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(export.ExportError, match=r"damaged|not of format 2"):
            manifests.read(bundle)
    path.write_bytes(content)
    manifests.read(bundle)


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("pair", [("encode", "decode"), ("decode", "reconstruct")])
def test_two_files_in_each_others_places_are_found(bundle, pair, sealed):
    first, second = (bundle / "onnx" / f"{name}.onnx" for name in pair)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    if sealed:
        manifests.write(bundle, {**manifests.read(bundle), "files": manifests.hashes(bundle)})
    message = "its graph takes other inputs than are declared" if sealed else "altered or truncated"
    with pytest.raises(export.ExportError, match=message):
        export.verify(bundle)


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "onnx/../../secret", "C:/secret", "..\\secret", "x" * 300]
)
def test_files_outside_the_bundle_are_refused(bundle, name):
    manifest = manifests.read(bundle)
    manifests.write(bundle, {**manifest, "files": {**manifest["files"], name: {"sha256": "0" * 64, "bytes": 1}}})
    with pytest.raises(export.ExportError, match="is no file of the bundle"):
        export.load(bundle)


def test_links_to_outside_are_refused(bundle, tmp_path):
    path = bundle / "onnx" / "sample.onnx"
    path.replace(tmp_path / "elsewhere.onnx")
    path.symlink_to(tmp_path / "elsewhere.onnx")
    for use in (export.verify, lambda folder: export.load(folder).sample(1)):
        with pytest.raises(export.ExportError, match=r"sample\.onnx is a link to outside"):
            use(bundle)


def test_signatures_whose_names_lead_elsewhere_are_refused(bundle):
    manifest = manifests.read(bundle)
    signatures = {**manifest["signatures"], "../sample": manifest["signatures"]["sample"]}
    manifests.write(bundle, {**manifest, "signatures": signatures})
    with pytest.raises(export.ExportError, match="cannot name a signature"):
        export.load(bundle)


def test_draws_of_another_spread_are_found_where_those_that_are_compared_agree(bundle):
    path = bundle / "reference.npz"
    with np.load(path) as arrays:
        content = dict(arrays)
    content["sample/others"] = 3 * content["sample/others"]
    np.savez(path, **content)
    manifests.write(bundle, {**manifests.read(bundle), "files": manifests.hashes(bundle)})
    with pytest.raises(export.ExportError, match="'sample' in saved_model: draws are spread otherwise"):
        export.verify(bundle)


def test_rows_that_are_said_to_be_independent_are_tried_again(bundle):
    manifest = manifests.read(bundle)
    assert not manifest["signatures"]["elbo"]["independent_rows"]
    manifest["signatures"]["elbo"]["independent_rows"] = True
    manifests.write(bundle, manifest)
    with pytest.raises(export.ExportError, match="'elbo': the manifest says that its rows are independent"):
        export.verify(bundle)


def test_missing_and_additional_files(bundle):
    (bundle / "extra.bin").write_bytes(b"x")
    with pytest.raises(export.ExportError, match=r"does not know: extra\.bin"):
        export.verify(bundle)
    (bundle / "extra.bin").unlink()
    for name, make in (
        ("folder", lambda path: path.symlink_to(bundle.parent)),
        ("nothing", lambda path: path.symlink_to(bundle / "not there")),
        ("pipe", os.mkfifo),
    ):
        make(bundle / name)
        with pytest.raises(export.ExportError, match=f"does not know: {name}"):
            export.verify(bundle)
        (bundle / name).unlink()
    (bundle / "onnx" / "decode.onnx").unlink()
    with pytest.raises(export.ExportError, match=r"decode\.onnx is missing"):
        export.verify(bundle)


def test_other_weights_are_found_even_with_matching_hashes(bundle):
    path = bundle / "onnx" / "decode.onnx"
    model = onnx.load(path)
    weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(weights) * np.float32(1.1)
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    onnx.save(model, path)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"] = manifests.hashes(bundle)
    manifests.write(bundle, manifest)
    with pytest.raises(export.ExportError, match="'decode' in onnx: output 'image' differs"):
        export.verify(bundle)


@pytest.mark.parametrize(
    "left", [lambda key: "/1/" not in key, lambda key: "decode/0/outputs" not in key, lambda key: "inputs" not in key]
)
def test_reference_values_that_leave_checks_out_are_refused(bundle, left):
    with np.load(bundle / "reference.npz") as arrays:
        kept = {key: arrays[key] for key in arrays if left(key)}
    np.savez(bundle / "reference.npz", **kept)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifests.write(bundle, {**manifest, "files": manifests.hashes(bundle)})
    with pytest.raises(export.ExportError, match=r"reference values of signature '\w+' are not all there"):
        export.verify(bundle)


def test_reference_values_without_rows_are_refused(bundle):
    with np.load(bundle / "reference.npz") as arrays:
        kept = {key: arrays[key][:0] if arrays[key].ndim else arrays[key] for key in arrays}
    np.savez(bundle / "reference.npz", **kept)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifests.write(bundle, {**manifest, "files": manifests.hashes(bundle)})
    with pytest.raises(export.ExportError, match="are not all there"):
        export.verify(bundle)


def test_a_manifest_that_leaves_checks_out_is_refused(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    for key, value in (("formats", []), ("signatures", {}), ("files", {}), ("signatures", {"decode": {}})):
        manifests.write(bundle, {**manifest, key: value})
        with pytest.raises(export.ExportError, match="damaged"):
            export.verify(bundle)
    fewer = {name: entry for name, entry in manifest["files"].items() if name != "onnx/decode.onnx"}
    manifests.write(bundle, {**manifest, "files": fewer})
    with pytest.raises(export.ExportError, match=r"does not know: onnx/decode\.onnx"):
        export.verify(bundle)
    (bundle / "onnx" / "decode.onnx").unlink()
    with pytest.raises(export.ExportError, match=r"lacks onnx/decode\.onnx"):
        export.verify(bundle)


@pytest.mark.parametrize("name", ["onnx/decode.onnx", "saved_model/saved_model.pb"])
def test_files_that_do_not_load_are_named(bundle, name):
    (bundle / name).write_bytes(b"garbage")
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifests.write(bundle, {**manifest, "files": manifests.hashes(bundle)})
    with pytest.raises(export.ExportError, match=r"decode\.onnx is no ONNX file|SavedModel does not load"):
        export.verify(bundle)


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "damaged"),
        ('{"format": 99}', f"not of format {manifests.VERSION}"),
        (f'{{"format": {manifests.VERSION}}}', "damaged"),
        ("[" * 200_000, "damaged"),
        (
            f'{{"format": {manifests.VERSION}, "deep": {"[" * 5000}{"]" * 5000}}}',
            "damaged",
        ),  # read, but not written, by Python 3.12
        (f'{{"format": {"2" * 5000}}}', "damaged"),
    ],
    ids=["cut", "version", "unsealed", "brackets", "deep", "long number"],
)
def test_a_damaged_manifest(bundle, text, message):
    (bundle / "manifest.json").write_text(text)
    for opened in (export.verify, export.load):
        with pytest.raises(export.ExportError, match=message):
            opened(bundle)


def test_a_folder_that_is_no_bundle(tmp_path):
    with pytest.raises(export.ExportError, match="is no bundle"):
        export.verify(tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 and no more"])
def test_reference_values_that_are_none_are_no_python_error(bundle, content):
    (bundle / "reference.npz").write_bytes(content)
    manifests.write(bundle, {**manifests.read(bundle), "files": manifests.hashes(bundle)})
    with pytest.raises(export.ExportError, match="do not fit together"):
        export.verify(bundle)


def test_a_manifest_that_says_anything_is_no_python_error(bundle):
    manifest = manifests.read(bundle)
    of_no_dtype = [{**each, "dtype": "foo"} for each in manifest["signatures"]["encode"]["inputs"]]
    for change in ({"tolerance": "x"}, {"inputs": [{"name": "other"}]}, {"outputs": 3}, {"inputs": of_no_dtype}):
        altered = json.loads(json.dumps(manifest))
        altered["signatures"]["encode"].update(change)
        manifests.write(bundle, altered)
        with pytest.raises(export.ExportError):
            export.verify(bundle)


def test_tensors_may_be_called_as_what_is_kept_of_draws(tmp_path):
    x = keras.Input((3,), name="draws")
    export.save(keras.Model(x, {"others": keras.layers.Dense(2)(x)}), tmp_path / "bundle", "onnx")
    export.verify(tmp_path / "bundle")
