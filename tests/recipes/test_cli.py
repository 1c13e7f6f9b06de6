"""The command line, as a user would type it."""

import json
import statistics
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import export


def test_help_is_there_for_every_command_with_an_example(cli):
    for command in (
        [],
        ["list"],
        ["info"],
        ["train"],
        ["evaluate"],
        ["sample"],
        ["export"],
        ["lint"],
        ["verify"],
        ["serve"],
    ):
        result = cli(*command, "--help")
        assert result.code == 0
        assert "Example: zoo " in result.out


def test_help_answers_without_tensorflow(tmp_path):
    code = (
        "import sys; sys.argv = ['zoo', '--help']\nfrom recipes.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    )
    code += "assert not {'tensorflow', 'keras', 'numpy', 'pydantic', 'PIL'} & set(sys.modules)"
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=tmp_path)
        seconds.append(time.monotonic() - started)
    assert statistics.median(seconds) < 5  # 0.2 s alone on a core; a bound on mistakes, not a benchmark


def test_a_command_that_is_told_to_end_removes_what_is_half_written(tmp_path):
    """The real signal, to a real process."""
    slowly = "import sys, time, export.bundle\nexport.bundle._write = lambda *_: time.sleep(300)\n"
    slowly += "sys.argv = ['zoo', 'export', 'classifier_mnist', '-o', 'bundle']\n"
    command = [sys.executable, "-c", f"{slowly}from recipes.cli import main\nmain()"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(tmp_path.glob(".partial-*"))
    process.terminate()
    out, error = process.communicate(timeout=300)
    assert (process.returncode, out) == (143, "")
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_list_and_info(cli):
    assert "vae_mnist" in cli("list").out
    listed = json.loads(cli("list", "--json").out)
    assert {"vae_mnist", "vae_digits"} <= set(listed["recipes"])
    preset = listed["presets"]["vae_mnist"]
    assert preset["bytes"] < 8e6
    assert preset["figures"]["nll"] < 87
    known = json.loads(cli("info", "vae_mnist", "--json").out)
    assert known["preset"]["figures"] == preset["figures"]
    assert known["recipe"]["train"]["epochs"] == known["preset"]["settings"]["train"]["epochs"]
    assert f"{preset['figures']['nll']:.2f}" in cli("info", "vae_mnist").out
    assert "recipe vae_digits" in cli("info", "vae_digits").out


def test_sample_png_and_npz(cli, tmp_path):
    import zoo

    assert cli("sample", "vae_mnist", "-n", "5", "--seed", "3", "-o", tmp_path / "s.npz").code == 0
    images = np.load(tmp_path / "s.npz")["images"]
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, zoo.from_preset("vae_mnist").sample(5, seed=3))
    assert cli("sample", "vae_mnist", "-n", "5", "-o", tmp_path / "s.png").code == 0
    assert Image.open(tmp_path / "s.png").mode == "L"


def test_from_training_to_a_verified_bundle(cli, tmp_path):
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    assert "steps:" in cli("train", "vae_digits", "--dry-run", "-o", run).out
    assert not run.exists()
    assert cli("train", "vae_digits", "--smoke", "-o", run).code == 0
    for model in (run, run / "model.keras"):
        figures = json.loads(cli("evaluate", model, "--data", "digits", "--draws", "5", "--images", "20", "--json").out)
        assert (figures["images"], figures["draws"]) == (20, 5)
        assert figures["nll"] > 0
    assert cli("evaluate", run, "--draws", "5", "--images", "20").out.startswith("NLL")
    assert cli("export", run, "-o", bundle, "--formats", "onnx").code == 0
    assert "all checks passed" in cli("verify", bundle).out
    assert export.load(bundle).sample(2).shape == (2, 8, 8, 1)
    assert cli("export", run, "-o", bundle, "--formats", "onnx", "--overwrite").code == 0


def test_any_keras_model_can_be_exported_from_its_file(cli, user_error, tmp_path):
    import keras

    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "plain.keras")
    assert cli("export", tmp_path / "plain.keras", "-o", tmp_path / "bundle").code == 0
    assert export.load(tmp_path / "bundle").manifest["signatures"].keys() == {"call"}
    assert "not a model of the zoo" in user_error("sample", tmp_path / "plain.keras")


def test_training_on_a_folder_of_pictures(cli, tmp_path):
    (tmp_path / "photos").mkdir()
    generator = np.random.default_rng(0)
    for index in range(60):
        size = (20, 24 + index % 3, 3)
        Image.fromarray(generator.integers(0, 256, size, np.uint8)).save(tmp_path / "photos" / f"{index}.jpg")
    arguments = [
        "--data",
        f"folder:{tmp_path / 'photos'}",
        "--set",
        "image.size=[12, 16]",
        "--set",
        "train.validation=5",
    ]
    result = cli(
        "train", "vae_mnist", *arguments, "--set", "model.likelihood=normal", "--smoke", "-o", tmp_path / "run"
    )
    assert result.code == 0, result.error
    assert cli("sample", tmp_path / "run", "-n", "3", "-o", tmp_path / "s.npz").code == 0
    assert np.load(tmp_path / "s.npz")["images"].shape == (3, 12, 16, 3)
    assert cli("evaluate", tmp_path / "run", "--draws", "2").code == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["sample", "vae_mnist", "-n", "0"], "greater than or equal to 1"),
        (["frobnicate"], "No such command"),
        (["sample", "vae_mnist", "--sed", "1"], "No such option"),
        (["sample", "nowhere.keras"], "no file or folder nowhere.keras"),
        (["info", "vae_mnits"], "Did you mean 'vae_mnist'"),
        (["sample", "vae_mnits"], "Did you mean 'vae_mnist'"),
        (["train", "vae_mnits"], "Did you mean 'vae_mnist'"),
        (["train", "vae_digits", "--set", "train.epoch=1"], "Did you mean 'train.epochs'"),
        (["train", "vae_digits", "--data", "mnits"], "Did you mean 'mnist'"),
        (["train", "vae_digits", "--data", "npz:nowhere.npz"], "no file nowhere.npz"),
        (["train", "vae_digits", "--resume", "--set", "train.epochs=3"], "leave --data and --set out"),
        (["train", "vae_digits", "--dry-run", "--set", "model.activation=foo"], "no activation 'foo'"),
        (["train", "vae_digits", "--set", "model.filters=[0]"], "model.filters.0"),
        (["train", "vae_digits", "--set", "image.size=0"], "image.size"),
        (["train", "vae_digits", "--set", "image.size=3"], "are for folder:PATH"),
        (["evaluate", "vae_digits"], "vae_digits is a recipe. Train it, zoo train vae_digits, and give the run folder"),
        (["evaluate", "vae_minst"], "no preset, run folder or .keras file 'vae_minst'. Did you mean"),
        (["evaluate", "vae_mnist", "--features", "classifier"], "unknown feature network 'classifier'. Did you mean"),
        (["sample", "vae_mnist", "-o", "x.jpg"], "expected .png"),
        (["export", "vae_mnist", "-o", "x", "--formats", "onx"], "unknown format 'onx'"),
        (["verify", "nowhere"], "is no bundle"),
        (["evaluate", "vae_mnist", "--data", "digits", "--draws", "1"], "expected [batch, 28, 28, 1]"),
    ],
)
def test_user_errors_are_one_line(user_error, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in user_error(*arguments)
    assert not any(tmp_path.iterdir())


def test_a_folder_is_no_keras_file(tmp_path):
    import zoo

    with pytest.raises(zoo.ZooError, match=r"is a folder, expected a .keras file. That of a run folder is model.keras"):
        zoo.load_model(tmp_path)


def test_damaged_models_are_one_line(user_error, tmp_path):
    (tmp_path / "model.keras").write_bytes(b"not a model")
    assert "truncated, or no .keras file" in user_error("sample", tmp_path / "model.keras")
    (tmp_path / "folder").mkdir()
    assert "is no run folder" in user_error("sample", tmp_path / "folder")
    (tmp_path / "folder" / "settings.yaml").write_text("{")
    assert "is not valid YAML" in user_error("sample", tmp_path / "folder")


def test_sample_takes_a_temperature(cli, user_error, tmp_path):
    for name, options in (("plain", []), ("one", ["--temperature", "1.0"]), ("cool", ["--temperature", "0.3"])):
        assert cli("sample", "vae_mnist", "-n", "3", *options, "-o", str(tmp_path / f"{name}.npz")).code == 0
    plain, one, cool = (np.load(tmp_path / f"{name}.npz")["images"] for name in ("plain", "one", "cool"))
    np.testing.assert_array_equal(plain, one)
    assert not np.array_equal(plain, cool)
    assert "temperature is -1.0" in user_error("sample", "vae_mnist", "--temperature", "-1")
    assert "takes no label" in user_error("sample", "vae_mnist", "--label", "3")


def test_an_interruption_is_one_line(cli, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("zoo.presets.registry", interrupted)
    found = cli("list")
    assert (found.code, found.error.strip()) == (130, "error: interrupted")
