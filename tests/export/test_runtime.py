"""The runtime: NumPy and ONNX Runtime alone, and clear refusals."""

import io
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from example_models import MODELS
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail

import export
import zoo
from export import runtime


def test_neither_tensorflow_nor_keras_is_imported(small_bundle, tmp_path, small_vae):
    code = (
        "import sys, numpy as np, export\n"
        f"bundle = export.load({str(small_bundle)!r})\n"
        "images = bundle.sample(4, seed=3)\n"
        "codes = bundle.run('encode', image=images)\n"
        "np.save('images.npy', images)\n"
        "heavy = {'tensorflow', 'keras', 'tensorflow_probability', 'tf2onnx', 'onnx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "images.npy"), small_vae.sample(4, seed=3), atol=1e-5)


def test_saved_model_loads_without_keras_and_zoo(small_bundle, tmp_path):
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['keras', 'zoo', 'export']))\n"  # as if they were not installed
        "import tensorflow as tf\n"
        f"loaded = tf.saved_model.load({str(small_bundle / 'saved_model')!r})\n"
        "seed, n = tf.constant(0, tf.int64), tf.constant(2, tf.int64)\n"
        "assert loaded.signatures['sample'](seed=seed, n=n)['image'].shape == (2, 8, 8, 1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)


GOOD = np.full((2, 8, 8, 1), 0.5, np.float32)


@pytest.mark.parametrize(
    "name, inputs, message",
    [
        ("decod", {}, "no signature 'decod'"),
        ("encode", {}, r"takes the inputs \['image'\], got \[\]"),
        ("encode", {"image": GOOD[0]}, "shape"),
        ("encode", {"image": (GOOD * 255).astype(np.uint8)}, "dtype uint8"),
        ("encode", {"image": GOOD * 3}, "its values are all 1.5"),
        ("encode", {"image": GOOD * np.nan}, "NaN"),
        ("encode", {"image": GOOD[:0]}, "empty"),
        ("sample", {"n": 0, "seed": 0}, "input 'n' of 'sample' is 0, expected 1"),
        ("sample", {"n": 1, "seed": -1}, "input 'seed' of 'sample' is -1, expected 0"),
        ("sample", {"n": 1.5, "seed": 0}, "dtype float64"),
        (
            "sample",
            {"n": 1, "label": 3},
            r"takes the inputs \['n', 'seed'\], and may have .*, got \['label', 'n'\]",
        ),
    ],
)
def test_bad_requests(small_bundle, name, inputs, message):
    with pytest.raises(export.ExportError, match=message):
        export.load(small_bundle).run(name, **inputs)


def test_what_sample_takes_and_refuses(small_bundle, tmp_path):
    bundle = export.load(small_bundle)
    np.testing.assert_array_equal(bundle.sample(2, temperature=1), bundle.sample(2))
    for options, message in (
        ({"temperature": 0}, "'temperature' of 'sample' is 0.0, expected 1e-06"),
        ({"temperature": float("inf")}, "'temperature' of 'sample' is inf"),
        ({"label": 1}, "not conditional: it takes no label"),
    ):
        with pytest.raises(export.ExportError, match=message):
            bundle.sample(2, **options)
    export.save(MODELS["ConditionalVAE"](), tmp_path / "labels", "onnx")
    conditional = export.load(tmp_path / "labels")
    with pytest.raises(export.ExportError, match=r"'decode' is given 2 of 'latent' and 1 of 'label', expected as many"):
        conditional.run("decode", latent=np.zeros((2, 3), np.float32), label=np.array([1]))
    with pytest.raises(export.ExportError, match="expected 0 to 2"):
        conditional.sample(2, label=3)
    with pytest.raises(export.ExportError, match="n is 0"):
        conditional.sample(0)
    # In turn, a part has the classes that it has among all.
    np.testing.assert_allclose(conditional.sample(4, first=8), conditional.sample(12)[8:], atol=1e-5)
    for label in (None, 1):
        with pytest.raises(export.ExportError, match=r"for 1,000,000,000 rows take 192 GB, more than the .*Ask for"):
            conditional.sample(10**9, label=label)


def test_rows_are_counted_from_multiples_of_four(small_bundle, small_vae):
    bundle, images = export.load(small_bundle), small_vae.sample(16, seed=3)
    np.testing.assert_allclose(bundle.sample(4, seed=3, first=8), images[8:12], atol=1e-5)
    for first in (1, 2, 1027):
        message = f"'first' of 'sample' is {first}, expected a multiple of 4.*Begin at {first // 4 * 4}"
        with pytest.raises(export.ExportError, match=message):
            bundle.sample(4, seed=3, first=first)
        with pytest.raises(zoo.ZooError, match=message):
            small_vae.run("sample", n=4, seed=3, first=first)


def test_altered_files_are_refused(small_bundle, tmp_path):
    copy = shutil.copytree(small_bundle, tmp_path / "copy")
    with (copy / "onnx" / "sample.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(export.ExportError, match="altered or truncated"):
        export.load(copy).sample(1)


def test_what_runs_is_what_was_checked(small_bundle, tmp_path, monkeypatch):
    """A file that is changed once it has been read, between the check and its use."""
    copy, real = shutil.copytree(small_bundle, tmp_path / "copy"), Path.open
    expected = export.load(small_bundle).sample(2, seed=1)
    other = (copy / "onnx" / "decode.onnx").read_bytes()

    def opened_and_changed(path: Path, mode: str = "r", *how, **more):
        if path.name != "sample.onnx" or mode != "rb":
            return real(path, mode, *how, **more)
        with real(path, "rb") as file:
            content = file.read()
        with real(path, "wb") as file:
            file.write(other)
        return io.BytesIO(content)

    monkeypatch.setattr(Path, "open", opened_and_changed)
    monkeypatch.setattr(Path, "read_bytes", lambda path: path.open("rb").read())
    np.testing.assert_array_equal(export.load(copy).sample(2, seed=1), expected)
    assert (copy / "onnx" / "sample.onnx").stat().st_size == len(other)


def test_a_bundle_without_onnx(small_vae, tmp_path):
    export.save(small_vae, tmp_path / "bundle", ["saved_model"])
    with pytest.raises(export.ExportError, match="without ONNX"):
        export.load(tmp_path / "bundle")


def test_the_provider_is_chosen_by_name(small_bundle):
    assert export.load(small_bundle, provider="CPUExecutionProvider", threads=1).sample(1).shape == (1, 8, 8, 1)
    with pytest.raises(export.ExportError, match=r"no provider 'GPU' here. It has: .*CPUExecutionProvider"):
        export.load(small_bundle, provider="GPU")
    for threads in (-3, 5000, 2.0, True):
        with pytest.raises(export.ExportError, match=f"threads is {threads}, expected an integer from 1 to 1024"):
            export.load(small_bundle, threads=threads)


@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_a_provider_that_cannot_start_is_an_error(small_bundle, monkeypatch):
    """Compiled in, it seems, but without what it needs: ONNX Runtime would compute on the CPU, and say nothing."""
    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    message = r"cannot start 'CUDAExecutionProvider', and would compute on CPUExecutionProvider.*Install what it needs"
    with pytest.raises(export.ExportError, match=message):
        export.load(small_bundle, provider="CUDAExecutionProvider").sample(1)

    def refuse(*_, **__):
        raise RuntimeError("Please install TensorRT libraries.\nAnd more.")  # as ONNX Runtime does for TensorRT

    monkeypatch.setattr(onnxruntime.InferenceSession, "_create_inference_session", refuse)
    message = r"cannot start 'CUDAExecutionProvider': Please install TensorRT libraries\. Install what it needs"
    with pytest.raises(export.ExportError, match=message):
        export.load(small_bundle, provider="CUDAExecutionProvider").sample(1)


def test_a_provider_that_fails_later_is_an_error(small_bundle, monkeypatch):
    """ONNX Runtime would run the graph again on the CPU."""
    bundle = export.load(small_bundle)
    session = bundle.session("sample")

    class Failing:
        def __getattr__(self, name):
            return getattr(real, name)

        def run(self, *_):
            raise EPFail("the device is gone")

    real = session._sess
    monkeypatch.setattr(session, "_sess", Failing())
    monkeypatch.setattr(session, "set_providers", lambda _: pytest.fail("it was moved to the CPU"))
    with pytest.raises(export.ExportError, match="signature 'sample': ONNX Runtime fails on it: the device is gone"):
        bundle.sample(1)


def test_a_relative_directory_is_that_of_loading(small_bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(small_bundle.parent)
    bundle = export.load(small_bundle.name)
    monkeypatch.chdir(tmp_path)
    assert bundle.sample(1).shape == (1, 8, 8, 1)


def test_threads_share_a_bundle(small_bundle, monkeypatch):
    bundle, opened = export.load(small_bundle), []
    real = runtime.open_session
    monkeypatch.setattr(runtime, "open_session", lambda *how: opened.append(how[1]) or real(*how))
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda seed: bundle.sample(3, seed=seed), range(16)))
    assert opened == ["sample"]
    for seed, images in enumerate(together):
        np.testing.assert_array_equal(images, bundle.sample(3, seed=seed))


def test_many_rows_are_run_in_batches_of_the_same_values(small_bundle, small_vae, monkeypatch):
    bundle, sizes = export.load(small_bundle), []
    real = runtime.run_session
    monkeypatch.setattr(
        runtime, "run_session", lambda session, part, name: sizes.append(len(part)) or real(session, part, name)
    )
    images = bundle.sample(1000, seed=3)
    np.testing.assert_allclose(images, small_vae.sample(1000, seed=3), atol=1e-5)
    codes = bundle.run("encode", image=images)["loc"]
    assert len(sizes) == 8  # 4 batches each
    np.testing.assert_allclose(codes, small_vae.run("encode", image=images)["loc"], atol=1e-5)
    # Noise of `elbo` belongs to an image by its place among all of them.
    assert bundle.run("elbo", image=images, seed=0)["elbo"].shape == (1000,)
    assert len(sizes) == 9


def test_what_does_not_fit_into_memory_is_refused(small_bundle):
    with pytest.raises(export.ExportError, match=r"for 1,000,000,000 rows take 256 GB, more than the .*Ask for fewer"):
        export.load(small_bundle).sample(10**9)
