"""A disk that fills up while a bundle is written leaves what was there before. A limit on file sizes stands for it."""

import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

import export
from export import bundle, gate, onnx, saved_model
from export import manifest as manifests

ROOM = 60  # bytes of a file
FULL = r"File too large|disk full"


def fill() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@contextmanager
def disk() -> Iterator[None]:
    """Empties the disk in the end, and lets writing fail with an error where it is full, not with a signal."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


STEPS = [
    (saved_model, "write"),
    (onnx, "write"),
    (bundle, "save_reference"),
    (bundle, "save_grid"),
    (bundle, "bundle_card"),
    (manifests, "write"),
]


def check_kept(parent: Path, there: list[str]) -> None:
    assert [path.name for path in parent.iterdir()] == there
    for name in there:
        assert manifests.hashes(parent / name) == manifests.read(parent / name)["files"]


@pytest.mark.parametrize("step, name", STEPS, ids=lambda each: each if isinstance(each, str) else each.__name__)
@pytest.mark.parametrize("there", [[], ["old"]], ids=["new", "overwrite"])
def test_each_step_of_an_export(small_vae, small_bundle, tmp_path, monkeypatch, step: ModuleType, name, there):
    for folder in there:
        shutil.copytree(small_bundle, tmp_path / folder)
    real = getattr(step, name)

    def when_full(*how, **options):
        fill()
        return real(*how, **options)

    monkeypatch.setattr(step, name, when_full)
    with disk(), pytest.raises((OSError, export.ExportError), match=FULL):
        export.save(small_vae, tmp_path / "old", overwrite=True, signatures="sample")
    check_kept(tmp_path, there)


@pytest.mark.parametrize("kind", ["float16", "int8"])
@pytest.mark.parametrize("name", ["save_reference", "_converted"])
def test_each_step_of_a_reduction(small_vae, small_bundle, digits, tmp_path, monkeypatch, kind, name):
    shutil.copytree(small_bundle, tmp_path / "old")
    real = getattr(gate, name)

    def when_full(*how):
        fill()
        return real(*how)

    monkeypatch.setattr(gate, name, when_full)
    reduction = export.Reduction(kind, held_out=digits[1000:1100], allow_drift=True)
    with disk(), pytest.raises((OSError, export.ExportError), match=FULL):
        export.save(small_vae, tmp_path / "old", overwrite=True, signatures="encode", reduction=reduction)
    check_kept(tmp_path, ["old"])


def test_weights_beside_a_graph(small_vae, small_bundle, tmp_path, monkeypatch):
    shutil.copytree(small_bundle, tmp_path / "old")
    monkeypatch.setattr(onnx, "EXTERNAL_ABOVE", 1000)
    real = onnx.at_opset
    monkeypatch.setattr(onnx, "at_opset", lambda *how: fill() or real(*how))
    with disk(), pytest.raises((OSError, export.ExportError), match=FULL):
        export.save(small_vae, tmp_path / "old", overwrite=True, signatures="decode")
    check_kept(tmp_path, ["old"])


@pytest.mark.parametrize("formats", ["onnx", "saved_model"])
def test_the_command(small_vae, small_bundle, tmp_path, formats):
    small_vae.save(tmp_path / "model.keras")
    shutil.copytree(small_bundle, tmp_path / "parent" / "old")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    arguments = ["export", "../model.keras", "-o", "old", "--overwrite", "--formats", formats]
    command = [sys.executable, "-B", "-m", "recipes.cli", *arguments]
    done = subprocess.run(command, cwd=tmp_path / "parent", preexec_fn=limit, capture_output=True, text=True)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 1
    assert line.startswith("error: ") and "disk" in line
    check_kept(tmp_path / "parent", ["old"])
