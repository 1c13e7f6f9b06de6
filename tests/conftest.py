"""What the tests share: small models, a command line in process, and the data of real runs where it is."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# As the command line does. Without oneDNN, which TensorFlow takes of itself on new processors alone, it has no
# gradients of dilated convolutions on CPUs.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """Real 8x8 digits, float32 [1797, 8, 8, 1] in [0, 1]."""
    from sklearn.datasets import load_digits

    return (load_digits().images / 16).astype(np.float32)[..., None]


@pytest.fixture(scope="session")
def small_vae(digits: np.ndarray):
    """A VAE fitted briefly to digits."""
    import keras

    import zoo

    keras.utils.set_random_seed(0)
    networks = zoo.networks
    model = zoo.VAE(networks.mlp_encoder((8, 8, 1), (32,)), networks.mlp_decoder(4, (8, 8, 1), (32,)), seed=0)
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(digits[:1000], batch_size=100, epochs=3, verbose=0)
    return model


@pytest.fixture(scope="session")
def small_bundle(small_vae, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of `small_vae`; tests copy it before they change it."""
    import export

    directory = tmp_path_factory.mktemp("bundles") / "small"
    export.save(small_vae, directory)
    return directory


@dataclass
class Result:
    """What a command did."""

    code: int
    out: str
    error: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> Callable[..., Result]:
    """Runs `zoo` with arguments in this process, for speed; returns exit code, output and error output."""
    from recipes.cli import main

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["zoo", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def user_error(cli) -> Callable[..., str]:
    """Runs `zoo`, expects a one-line error without a traceback, and returns it."""

    def run(*arguments: str) -> str:
        result = cli(*arguments)
        lines = [line for line in result.error.splitlines() if line.strip()]
        assert result.code != 0, result.out
        assert "Traceback" not in result.error
        assert len(lines) == 1 and lines[0].startswith("error: "), result.error
        return lines[0]

    return run


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data; tests that need it are skipped where it is absent."""
    folder = os.environ.get("ZOO_DATA_DIR", "")
    if not folder or not Path(folder, "mnist.npz").exists():
        pytest.skip("ZOO_DATA_DIR does not name a folder with mnist.npz")
    return Path(folder)
