"""Training runs: what they leave, how they go on, and what stops them."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace

import keras
import numpy as np
import pytest
import yaml

from recipes.build import build
from recipes.data import Dataset
from recipes.dtype_choice import fastest_dtype
from recipes.models import open_model
from recipes.registry import names, parameters_of, settings_of
from recipes.run_folder import RunFolder, read_settings
from recipes.settings import override, smoke
from recipes.shuffling import ShuffledImages
from recipes.train import build_model, describe, load_data, train
from zoo.errors import ZooError

QUICK = ["train.epochs=4", "train.batch_size=64", "model.hidden=16", "evaluate.draws=3", "train.jit_compile=false"]


def quick(*more: str):
    return override(settings_of("vae_digits"), [*QUICK, *more])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "run")
    train(quick(), folder.path)
    return folder


def test_a_run_leaves_what_is_promised(run):
    assert yaml.safe_load(run.settings_file.read_text())["train"]["epochs"] == 4
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert {"loss", "elbo", "kl", "val_elbo", "seconds"} <= set(lines[0])
    assert 0 < run.core_minutes() < 1.1 * (os.cpu_count() or 1) * run.training_time()[1]
    assert lines[-1]["val_loss"] < lines[0]["val_loss"]
    assert run.checkpoint.exists()
    assert run.model_file.exists()
    assert len(list((run.path / "samples").glob("*.png"))) == 5
    figures = json.loads(run.evaluation_file.read_text())
    assert (figures["images"], figures["draws"], figures["data"]) == (359, 3, "digits")
    assert not list(run.path.rglob(".partial-*"))


def test_the_saved_model_is_the_average_of_the_weights(run):
    saved, last = keras.models.load_model(run.model_file), keras.models.load_model(run.checkpoint)
    weights, averages = last.trainable_variables, last.optimizer._model_variables_moving_average
    for kept, average in zip(saved.trainable_variables, averages, strict=True):
        np.testing.assert_allclose(kept, average, rtol=1e-6)
    assert any(not np.allclose(one, other) for one, other in zip(weights, averages, strict=True))


def test_an_interrupted_run_ends_where_a_straight_one_does(run, tmp_path, monkeypatch, cli):
    """Stopped after two of four epochs and resumed, a run has the same weights to the last bit."""
    from recipes import run_folder

    real = run_folder.RunRecorder.on_epoch_end

    def interrupted(self, epoch, logs=None):
        real(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run_folder.RunRecorder, "on_epoch_end", interrupted)
        train(quick(), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    assert len(folder.metrics_file.read_text().splitlines()) == 2
    assert not folder.model_file.exists()
    assert "has not ended" in open_model(str(folder.path)).warning
    assert "warning: " in cli("sample", folder.path, "-n", "2", "-o", tmp_path / "two.png").error
    with pytest.raises(ZooError, match=r"is a run of vae_digits: zoo train vae_digits"):
        train(settings_of("vae_mnist"), tmp_path / "run", resume=True)
    model = train(quick(), tmp_path / "run", resume=True)
    epochs = [json.loads(line)["epoch"] for line in folder.metrics_file.read_text().splitlines()]
    assert epochs == [1, 2, 3, 4]
    assert int(model.optimizer.iterations) == 4 * 21
    straight = keras.models.load_model(run.model_file)
    for one, other in zip(model.trainable_variables, straight.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, other)
    assert open_model(str(folder.path)).warning == ""
    with pytest.raises(ZooError, match="is finished"):
        train(quick(), tmp_path / "run", resume=True)


def test_a_run_interrupted_in_its_evaluation_is_evaluated_again(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("recipes.train.evaluate", interrupted)
        train(quick(), tmp_path / "run")
    before = (tmp_path / "run" / "model.keras").read_bytes()
    train(quick(), tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "evaluation.json").exists()
    assert (tmp_path / "run" / "model.keras").read_bytes() == before


@pytest.mark.parametrize(
    "settings, message",
    [
        (["train.batch_size=5000"], r"leaves 1338 images.*train\.batch_size=5000.*--set train\.batch_size=334"),
    ],
)
def test_too_few_images(tmp_path, settings, message):
    with pytest.raises(ZooError, match=message):
        train(quick(*settings), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_folders_that_are_not_free(tmp_path, run):
    with pytest.raises(ZooError, match="--resume"):
        train(quick(), run.path)
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ZooError, match=r"not empty\. Choose another folder"):
        train(quick(), tmp_path)
    with pytest.raises(ZooError, match="no checkpoint"):
        train(quick(), tmp_path / "new", resume=True)


def test_one_seed_gives_one_model():
    data = load_data(quick())
    one, two = build_model(quick(), data), build_model(quick(), data)
    other = build_model(quick("train.seed=1"), data)
    np.testing.assert_array_equal(one.sample(2), two.sample(2))
    assert not np.array_equal(one.sample(2), other.sample(2))


@pytest.mark.parametrize("name", names())
def test_every_recipe_has_a_smoke_run_and_states_its_size(name):
    settings = smoke(settings_of(name))
    assert settings.train.epochs == 1
    shapes = {"digits": (8, 8, 1), "frey_faces": (28, 20, 1), "cifar10_jpeg_subset": (32, 32, 3)}
    images = np.zeros((10, *shapes.get(settings.data, (28, 28, 1))), np.float32)
    data = Dataset(settings.data, images, images, np.arange(10), np.arange(10))
    assert build(settings.model, data, 0).count_params() == parameters_of(name)


def test_one_setting_makes_all_layers_wider():
    images = np.zeros((10, 8, 8, 1), np.float32)
    data = Dataset("digits", images, images, np.arange(10), np.arange(10))
    for name in ("vae_digits", "gan_mnist"):
        settings = settings_of(name).model
        wide = build(settings.model_copy(update={"width": 2.0}), data, 0)
        plain = build(settings, data, 0)
        assert wide.count_params() > 1.9 * plain.count_params()


def test_residual_networks_and_labels_that_fit():
    images = np.zeros((10, 8, 8, 1), np.float32)
    settings = settings_of("cvae_mnist").model.model_copy(update={"network": "residual"})
    data = Dataset("digits", images, images, np.arange(10) % 3, np.arange(10) % 4)
    assert build(settings, data, 0).num_classes == 4
    with pytest.raises(ZooError, match="labels of training images alone"):
        build(settings, replace(data, test_labels=None), 0)
    bits = settings_of("iwae_burda").model.model_copy(update={"free_bits": 0.5})
    with pytest.raises(ZooError, match="IWAE has no free_bits"):
        build(bits, data, 0)


def test_ctrl_c_keeps_a_checkpoint(tmp_path):
    """The real signal, to a real process."""
    settings = ["--set", "train.epochs=5000", "--set", "train.jit_compile=false"]
    command = [sys.executable, "-m", "recipes.cli", "train", "vae_digits", "-o", "run", *settings]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which shells ignore for what they run behind
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 600
    while not metrics.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    try:
        _, error = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in error
    assert "interrupted. The last checkpoint is kept; go on with: zoo train vae_digits -o run --resume" in error
    open_model(str(tmp_path / "run" / "checkpoints" / "last.keras"))
    assert not list(tmp_path.rglob(".partial-*"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "vae_digits", "-o", "run", "--smoke"],
        ["export", "vae_mnist", "-o", "bundle"],
        ["export", "vae_mnist", "-o", "bundle", "--formats", "onnx"],
        ["sample", "vae_mnist", "-n", "400", "-o", "samples.npz"],
    ],
    ids=" ".join,
)
def test_a_full_disk_leaves_no_half_written_file(tmp_path, arguments):
    """A limit on the size of files stands for a disk that is full: writing past it fails the same way."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    command = [sys.executable, "-B", "-m", "recipes.cli", *arguments]
    done = subprocess.run(command, cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True)
    lines = done.stderr.strip().splitlines()
    assert done.returncode != 0
    assert len(lines) == 1 and lines[0].startswith("error: "), done.stderr
    assert "disk" in lines[0]
    assert not any(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to(user_error):
    # A file where a folder should be, and a folder that takes no files.
    assert "/proc/nope" in user_error("sample", "vae_mnist", "-n", "1", "-o", "/proc/nope/x.png")
    for place in ("/dev/null/run", "/proc/nope"):
        assert place in user_error("train", "vae_digits", "--smoke", "-o", place)
        assert place in user_error("export", "vae_mnist", "-o", f"{place}/bundle")
    assert not os.path.exists("/proc/nope")  # noqa: PTH110


def test_a_conditional_recipe_trains_and_samples_by_label(tmp_path, cli, user_error):
    options = ["model.network=mlp", "model.hidden=16", "train.images=200"]
    settings = override(smoke(settings_of("cvae_mnist")), ["data=digits", *options])
    model = train(settings, tmp_path / "run")
    assert model.num_classes == 10
    assert cli("sample", str(tmp_path / "run"), "-n", "4", "--label", "3", "-o", str(tmp_path / "3.npz")).code == 0
    with np.load(tmp_path / "3.npz") as saved:
        np.testing.assert_allclose(saved["images"], model.sample(4, label=3), atol=1e-6)
    assert "0 to 9" in user_error("sample", str(tmp_path / "run"), "--label", "10", "-o", str(tmp_path / "x.png"))
    assert cli("evaluate", str(tmp_path / "run"), "--draws", "2", "--images", "10").code == 0


def test_images_off_the_support_are_refused_before_anything_is_written(tmp_path, user_error, cli):
    options = ["--set", "model.likelihood=categorical", "--set", "train.epochs=1", "--set", "model.hidden=8"]
    for more in ([], ["--dry-run"]):
        message = user_error("train", "vae_digits", *options, "--smoke", "-o", str(tmp_path / "run"), *more)
        assert "levels=17" in message
        assert "--set model.levels=" in message
    assert not (tmp_path / "run").exists()
    assert cli("train", "vae_digits", *options, "--set", "model.levels=17", "--dry-run").code == 0
    message = user_error("train", "vae_digits", "--set", "model.levels=17", "--dry-run")
    assert "categorical and discretized_logistic_mixture" in message


def test_labels_are_shuffled_with_their_images():
    images = np.arange(20, dtype=np.float32).reshape(20, 1, 1, 1)
    for batch, labels in ShuffledImages(images, 6, 0, labels=np.arange(20)):
        np.testing.assert_array_equal(batch.ravel(), labels)


def test_a_model_of_codes_fits_its_prior_before_it_samples(tmp_path):
    options = ["data=digits", "model.filters=[8]", "model.blocks=0", "model.codes=8", "model.prior_filters=8"]
    settings = override(smoke(settings_of("vqvae_mnist")), [*options, "model.prior_blocks=1"])
    model = train(settings, tmp_path / "run")
    assert model.prior_is_fitted
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line.get("stage", line.get("epoch")) for line in lines] == [1, "prior"]
    assert RunFolder(tmp_path / "run").training_time()[0] == 1
    assert RunFolder(tmp_path / "run").core_minutes() is None  # that of the prior is not known
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["draws"] == 1


def test_a_run_can_start_from_the_weights_of_another(run):
    settings = quick(f"train.start_from={run.path}")
    begun = build_model(settings, load_data(settings))
    np.testing.assert_array_equal(begun.sample(2), keras.models.load_model(run.model_file).sample(2))
    wider = quick(f"train.start_from={run.path}", "model.hidden=17")
    with pytest.raises(ZooError, match="weights of other shapes"):
        build_model(wider, load_data(wider))


def test_data_that_cannot_be_downloaded_say_where_they_should_be(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_DATA_DIR", str(tmp_path))
    with pytest.raises(ZooError, match=r"no frey_faces.npz in ZOO_DATA_DIR"):
        load_data(settings_of("vae_frey_faces"))
    frames = np.random.default_rng(0).integers(0, 256, (50, 28, 20), np.uint8)
    np.savez(tmp_path / "frey_faces.npz", x=frames)
    data = load_data(override(settings_of("vae_frey_faces"), ["train.batch_size=8"]))
    assert data.image_shape == (28, 20, 1)
    assert (data.name, len(data.train), len(data.test)) == ("frey_faces", 40, 10)


def test_a_model_trained_in_half_precision_is_left_in_float32(tmp_path):
    settings = quick("train.dtype=mixed_bfloat16", "train.epochs=1")
    before = keras.config.dtype_policy()
    model = train(settings, tmp_path / "run")
    assert keras.config.dtype_policy() == before
    checkpoint = keras.models.load_model(RunFolder(tmp_path / "run").checkpoint)
    assert checkpoint.encoder.layers[-1].compute_dtype == "bfloat16"
    saved = keras.models.load_model(RunFolder(tmp_path / "run").model_file)
    assert saved.encoder.layers[-1].compute_dtype == "float32"
    np.testing.assert_array_equal(saved.sample(2), model.sample(2))


@pytest.mark.parametrize("quicker", ["float32", "mixed_bfloat16"])
def test_a_dtype_is_chosen_by_time_and_kept(quicker, tmp_path, monkeypatch):
    monkeypatch.setattr("recipes.dtype_choice._seconds", lambda policy, _: float(policy != quicker))
    settings = quick("train.dtype=auto", "train.epochs=1")
    assert f"dtype: {quicker}" in describe(settings)
    train(settings, tmp_path / "run")
    assert read_settings(tmp_path / "run").train.dtype == quicker  # with which --resume goes on
    checkpoint = keras.models.load_model(RunFolder(tmp_path / "run").checkpoint)
    assert checkpoint.encoder.layers[-1].dtype_policy.name == quicker


@pytest.mark.parametrize("jit_compile", [False, True])
def test_both_dtypes_are_timed(jit_compile):
    assert fastest_dtype(jit_compile) in ("float32", "mixed_bfloat16")


def test_a_gan_trains_and_is_judged_by_its_samples(tmp_path):
    """Digits have no classifier among the presets: a network is named, here one that is not trained."""
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(8)])
    network.save(tmp_path / "features.keras")
    options = ["data=digits", "model.filters=[4]", "model.latent_size=4", "train.tensorboard=true"]
    settings = override(smoke(settings_of("gan_mnist")), [*options, f"evaluate.features={tmp_path}/features.keras"])
    train(settings, tmp_path / "run")
    figures = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert figures["frechet_distance"] > figures["train_frechet_distance"] > 0
    assert (figures["features"], figures["samples"], figures["resizing"]) == ("features.keras", 32, "none")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert {"real_accuracy", "val_real_accuracy", "update_ratio", "diversity"} <= set(json.loads(lines))
    assert list((tmp_path / "run" / "tensorboard").rglob("events*"))


def test_without_likelihood_and_network_there_is_nothing_to_measure(tmp_path):
    settings = override(smoke(settings_of("gan_mnist")), ["data=digits", "model.filters=[4]"])
    with pytest.raises(ZooError, match="no likelihood, and no network is named"):
        train(settings, tmp_path / "run")
    with pytest.raises(ZooError, match="unknown feature network 'clasifier_mnist'"):
        train(override(settings, ["evaluate.features=clasifier_mnist"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()  # and it did not train before it said so
    train(override(settings, ["evaluate.features=none"]), tmp_path / "run")
    assert "frechet_distance" not in json.loads((tmp_path / "run" / "evaluation.json").read_text())


def test_residual_networks_have_no_normalization():
    settings = override(settings_of("gan_mnist"), ["model.network=residual", "model.normalization=spectral"])
    with pytest.raises(ZooError, match="residual networks have no normalization=spectral"):
        describe(override(settings, ["data=digits"]))


def test_tensorboard_is_asked_for_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ZooError, match=r"pip install 'genzoo\[tensorboard\]'"):
        train(quick("train.tensorboard=true"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_bernoulli_of_photographs_is_warned_of(tmp_path, cli):
    np.savez(tmp_path / "photographs.npz", x=np.random.default_rng(0).uniform(0.2, 0.8, (200, 8, 8)).astype("float32"))
    options = ["--data", f"npz:{tmp_path / 'photographs.npz'}", "--set", "train.batch_size=32", "--dry-run"]
    assert "makes each black or white at random" in cli("train", "vae_digits", *options).error
    assert "at random" not in cli("train", "vae_digits", *options, "--set", "model.likelihood=normal").error
    assert "at random" not in cli("train", "vae_digits", "--dry-run").error
