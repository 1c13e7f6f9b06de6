"""Presets: loading, saving, hashes, and the pretrained ones."""

import json
import shutil

import h5py
import numpy as np
import pytest

import zoo
from recipes.publish import card_of, write_card
from zoo import presets
from zoo.metrics import Classifier

# The 4x4 pixels from row and column 12 on of the mean of sample(8, seed=0).
GOLDEN = {
    "cgan_mnist": [
        [0.2294, 0.2511, 0.2611, 0.2960],
        [0.2328, 0.1596, 0.1975, 0.3598],
        [0.2206, 0.1838, 0.3503, 0.3714],
        [0.2575, 0.3467, 0.5035, 0.4589],
    ],
    "cvae_mnist": [
        [0.2398, 0.2686, 0.4184, 0.5442],
        [0.3755, 0.5462, 0.5940, 0.6882],
        [0.4013, 0.4683, 0.4830, 0.6048],
        [0.3688, 0.3929, 0.3524, 0.4398],
    ],
    "ebm_mnist": [
        [0.2056, 0.1151, 0.0988, 0.2620],
        [0.1077, 0.1731, 0.1869, 0.3146],
        [0.0631, 0.1473, 0.2524, 0.3169],
        [0.1236, 0.2577, 0.4038, 0.3863],
    ],
    "eqm_mnist": [
        [0.0059, 0.1910, 0.4963, 0.5446],
        [0.1550, 0.4023, 0.5856, 0.5680],
        [0.4025, 0.4991, 0.5035, 0.5136],
        [0.5334, 0.5324, 0.4715, 0.4201],
    ],
    "gan_mnist": [
        [0.2641, 0.2455, 0.2331, 0.3327],
        [0.3387, 0.3408, 0.2767, 0.5172],
        [0.3626, 0.3860, 0.5071, 0.6729],
        [0.3302, 0.5240, 0.6969, 0.7253],
    ],
    "hvae_mnist": [
        [0.4364, 0.1510, 0.0806, 0.3030],
        [0.3410, 0.3784, 0.5017, 0.3804],
        [0.1071, 0.3857, 0.6107, 0.6121],
        [0.2990, 0.4532, 0.5129, 0.5428],
    ],
    "rbm_mnist": [
        [0.3976, 0.2946, 0.2557, 0.2442],
        [0.5202, 0.4782, 0.5153, 0.6241],
        [0.3823, 0.4979, 0.6868, 0.7127],
        [0.4041, 0.4771, 0.4752, 0.5202],
    ],
    "vqvae_mnist": [
        [0.3176, 0.3586, 0.3458, 0.3806],
        [0.2650, 0.3832, 0.4078, 0.5183],
        [0.2405, 0.4387, 0.4914, 0.6149],
        [0.3598, 0.5071, 0.5632, 0.6306],
    ],
    "vae_mnist": [
        [0.3414, 0.3388, 0.3242, 0.2821],
        [0.3614, 0.2948, 0.2544, 0.2711],
        [0.2534, 0.2527, 0.2065, 0.3224],
        [0.2563, 0.3563, 0.5268, 0.5964],
    ],
}


@pytest.fixture
def saved(small_vae, tmp_path):
    small_vae.save_to_preset(tmp_path / "preset", note="for tests")
    return tmp_path / "preset"


def test_folder_follows_kerashub(saved):
    assert {path.name for path in saved.iterdir()} == {"config.json", "model.weights.h5", "metadata.json", "card.md"}
    metadata = json.loads((saved / "metadata.json").read_text())
    assert metadata["class"] == "VAE"
    assert metadata["note"] == "for tests"
    assert set(metadata["files"]) == {"config.json", "model.weights.h5", "card.md"}


def test_round_trip_keeps_samples_and_leaves_the_optimizer_out(saved, small_vae):
    again = zoo.VAE.from_preset(saved)
    np.testing.assert_array_equal(again.sample(4), small_vae.sample(4))
    assert not again.compiled
    stored = []
    with h5py.File(saved / "model.weights.h5") as file:
        file.visititems(lambda _, item: stored.append(item.size) if isinstance(item, h5py.Dataset) else None)
    assert sum(stored) == small_vae.count_params()


def test_config_names_no_argument_that_is_none_by_default(saved):
    """Another version of Keras may not know it; the initializer's axes came with 3.15."""
    text = (saved / "config.json").read_text()
    assert "GlorotUniform" in text
    assert "input_axes" not in text
    assert "kernel_regularizer" not in text


def test_float16_is_half_the_size_and_nearly_the_same(small_vae, tmp_path):
    small_vae.save_to_preset(tmp_path / "half", weights_dtype="float16")
    again = zoo.from_preset(tmp_path / "half")
    np.testing.assert_allclose(again.sample(4), small_vae.sample(4), atol=0.01)
    assert again.dtype_policy.name == "float32"
    with h5py.File(tmp_path / "half" / "model.weights.h5") as file:
        kinds = set()
        file.visititems(lambda _, item: kinds.add(item.dtype.name) if isinstance(item, h5py.Dataset) else None)
    assert kinds == {"float16"} or kinds == {"float16", "uint32"}


@pytest.mark.parametrize("file", ["config.json", "model.weights.h5", "card.md"])
@pytest.mark.parametrize("change", ["truncate", "alter", "remove"])
def test_changed_files_are_refused(saved, file, change):
    content = (saved / file).read_bytes()
    if change == "remove":
        (saved / file).unlink()
    else:
        (saved / file).write_bytes(content[:-5] if change == "truncate" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(zoo.ZooError, match=r"missing\." if change == "remove" else "altered or truncated"):
        zoo.from_preset(saved)


def test_a_preset_without_hashes_is_refused(saved):
    metadata = json.loads((saved / "metadata.json").read_text())
    (saved / "metadata.json").write_text(json.dumps({**metadata, "files": {}}))
    with pytest.raises(zoo.ZooError, match="lacks the SHA-256 of card"):
        zoo.from_preset(saved)


def test_weights_too_large_for_float16_are_refused(tmp_path):
    model = zoo.VAE(zoo.networks.mlp_encoder((2, 2, 1), (2,)), zoo.networks.mlp_decoder(1, (2, 2, 1), (2,)))
    model.set_weights([weight + 1e6 for weight in model.get_weights()])
    with pytest.raises(zoo.ZooError, match="too large for float16"):
        model.save_to_preset(tmp_path / "half", weights_dtype="float16")
    assert not any(tmp_path.iterdir())


def test_a_model_that_diverged_is_not_saved(tmp_path):
    model = zoo.VAE(zoo.networks.mlp_encoder((2, 2, 1), (2,)), zoo.networks.mlp_decoder(1, (2, 2, 1), (2,)))
    model.set_weights([weight * np.nan for weight in model.get_weights()])
    with pytest.raises(zoo.ZooError, match="not finite"):
        model.save_to_preset(tmp_path / "preset")
    assert not any(tmp_path.iterdir())


def test_names_that_are_refused(saved, small_vae, tmp_path):
    with pytest.raises(zoo.ZooError, match="name of a preset is None, expected one of"):
        zoo.from_preset(None)
    with pytest.raises(zoo.ZooError, match=r"unknown preset 'vae_mnits'\. Did you mean 'vae_mnist'"):
        zoo.from_preset("vae_mnits")
    with pytest.raises(zoo.ZooError, match="not empty"):
        small_vae.save_to_preset(saved)
    with pytest.raises(zoo.ZooError, match="weights_dtype"):
        small_vae.save_to_preset(tmp_path / "new", weights_dtype="int4")

    class Other(zoo.GenerativeModel):
        pass

    with pytest.raises(zoo.ZooError, match=r"is a VAE, not a Other: use zoo.from_preset"):
        Other.from_preset(saved)
    assert [path.name for path in tmp_path.iterdir()] == ["preset"]


@pytest.mark.parametrize("name", presets.list_presets())
class TestPretrained:
    """Every preset that comes along."""

    def test_registry_agrees_with_the_files(self, name):
        entry, folder = presets.registry()[name], presets.FOLDER / name
        assert (folder / presets.WEIGHTS).stat().st_size == entry["bytes"] < 8e6
        assert set(entry["files"]) == {path.name for path in folder.iterdir()}
        for file, expected in entry["files"].items():
            assert presets.sha256(folder / file) == expected
        figures, card = entry["figures"], (folder / presets.CARD).read_text()
        assert figures == presets.metadata(name)["figures"]
        for value, error, digits in (
            ("nll", "standard_error", ".2f"),
            ("accuracy", "standard_error", ".2%"),
            ("conditional_accuracy", "conditional_accuracy_error", ".2%"),
            ("frechet_distance", "frechet_distance_error", ".4f"),
        ):
            if value in figures:
                assert f"{figures[value]:{digits}} +- {figures[error]:{digits}}" in card

    def test_the_card_says_what_the_metadata_do(self, name):
        if "settings" in presets.metadata(name):
            assert (presets.FOLDER / name / presets.CARD).read_text() == card_of(presets.FOLDER / name)

    def test_it_loads_and_samples(self, name):
        if presets.registry()[name]["class"] == "Classifier":
            assert Classifier.from_preset(name).logits(np.zeros((2, 28, 28, 1), np.float32)).shape == (2, 10)
            return
        model = zoo.from_preset(name)
        images = model.sample(8, seed=0)
        np.testing.assert_allclose(images.mean(axis=0)[12:16, 12:16, 0], GOLDEN[name], atol=2e-3)

    def test_damage_to_an_installed_preset_is_found(self, name, tmp_path, monkeypatch):
        shutil.copytree(presets.FOLDER, tmp_path / "weights")
        monkeypatch.setattr(presets, "FOLDER", tmp_path / "weights")
        weights = tmp_path / "weights" / name / presets.WEIGHTS
        weights.write_bytes(weights.read_bytes()[:-100])
        with pytest.raises(zoo.ZooError, match="altered or truncated"):
            presets.load(name)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "hvae_mnist" else name for name in GOLDEN]
)
def test_pretrained_models_train_on(name):
    model = zoo.from_preset(name)
    model.compile("adam")
    labels = None if model.num_classes is None else np.arange(8) % model.num_classes
    images = np.random.default_rng(0).random((8, *model.image_shape), np.float32)
    history = model.fit(images, labels, epochs=2, batch_size=4, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_a_card_is_written_anew_with_its_hashes(tmp_path, monkeypatch, request):
    weights = shutil.copytree(presets.FOLDER, tmp_path / "weights")
    request.addfinalizer(presets.registry.cache_clear)
    monkeypatch.setattr(presets, "FOLDER", weights)
    card = weights / "rbm_mnist" / presets.CARD
    before = {path: path.read_bytes() for path in weights.rglob("*") if path.is_file()}
    figures = json.loads((weights / "rbm_mnist" / presets.METADATA).read_text())
    figures["figures"]["nll"] = 12.34
    (weights / "rbm_mnist" / presets.METADATA).write_text(json.dumps(figures, indent=2) + "\n")
    entries = json.loads((weights / "registry.json").read_text())
    entries["rbm_mnist"]["files"][presets.METADATA] = presets.sha256(weights / "rbm_mnist" / presets.METADATA)
    (weights / "registry.json").write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")
    write_card(weights / "rbm_mnist")
    assert "**12.34 +- " in card.read_text()
    zoo.from_preset("rbm_mnist")  # hashes are those of what is there
    assert presets.registry()["rbm_mnist"]["figures"]["nll"] == 12.34
    changed = {path.name for path, content in before.items() if path.read_bytes() != content}
    assert changed == {presets.CARD, presets.METADATA, "registry.json"}


@pytest.mark.slow
def test_the_stated_likelihood_is_measured_again(data_dir):
    """2,000 test images with 200 draws: fewer draws give a slightly higher figure, never one above the aim."""
    images = np.load(data_dir / "mnist.npz")["x_test"][::5].astype(np.float32)[..., None] / 255
    estimate = zoo.from_preset("vae_mnist").log_likelihood(images, num_samples=200)
    stated = presets.registry()["vae_mnist"]["figures"]["nll"]
    assert -estimate.mean < 87.0
    assert abs(-estimate.mean - stated) < 4 * estimate.standard_error


@pytest.mark.parametrize("name", ["vae_mnist", "hvae_mnist"])
def test_real_test_images_have_the_stated_likelihood(name, data_dir):
    """300 test images with 50 draws: within errors of the figure on the card, and a little above it."""
    images = np.load(data_dir / "mnist.npz")["x_test"][:300].astype(np.float32)[..., None] / 255
    estimate = zoo.from_preset(name).log_likelihood(images, num_samples=50)
    stated = presets.registry()[name]["figures"]["nll"]
    assert abs(-estimate.mean - stated) < 4 * estimate.standard_error + 1
