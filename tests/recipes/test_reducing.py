"""Exports in reduced precision from the command line, and which images they are measured on."""

import numpy as np
import pytest

import export
from recipes.data import load


@pytest.fixture(scope="module")
def keras_file(small_vae, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small.keras"
    small_vae.save(path)
    return path


def test_drift_is_measured_on_what_training_held_out(small_vae):
    from recipes.models import OpenedModel
    from recipes.reducing import reduction_for

    train = load("digits").train
    opened = OpenedModel(small_vae, "digits", validation=50, train_images=400)
    given = reduction_for(opened, "small", "int8", calibrate=True)
    np.testing.assert_array_equal(given.held_out, train[:40])  # a tenth at most
    np.testing.assert_array_equal(given.calibration, train[40:400])
    assert reduction_for(opened, "small", "float16").calibration is None


def test_export_and_verify(cli, keras_file, tmp_path):
    bundle = tmp_path / "bundle"
    command = ("export", keras_file, "-o", bundle, "--formats", "onnx", "--signatures", "decode", "--data", "digits")
    done = cli(*command, "--precision", "float16")
    assert done.code == 0, done.error
    assert "half precision (float16)" in done.out and "pixel_difference of image" in done.out
    checked = cli("verify", bundle)
    assert "drift on 143 rows" in checked.out and "all checks passed" in checked.out
    assert export.load(bundle).manifest["reduction"]["kind"] == "float16"
    done = cli(*command, "--quantize", "int8", "--overwrite", "--calibrate")
    assert "static quantization" in done.out, done.error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--precision", "float8"], "precision is 'float8', expected float32 or float16"),
        (["--quantize", "int4"], "quantize is 'int4', expected int8"),
        (["--quantize", "int8", "--precision", "float16"], "exclude each other"),
        (["--calibrate"], "--calibrate is for --quantize int8. Add that"),
        (["--allow-drift"], "--allow-drift is for"),
        (["--precision", "float16"], "does not say what data it is for"),
    ],
)
def test_wrong_options(user_error, keras_file, tmp_path, options, message):
    assert message in user_error("export", keras_file, "-o", tmp_path / "bundle", *options)
    assert not any(tmp_path.iterdir())
