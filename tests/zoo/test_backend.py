"""Set-ups of Keras in which the zoo cannot work, seen from a fresh process."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "variable, value, message",
    [("KERAS_BACKEND", "jax", "KERAS_BACKEND is 'jax'"), ("TF_USE_LEGACY_KERAS", "1", "TF_USE_LEGACY_KERAS")],
)
def test_other_backends_are_refused(variable, value, message):
    for command in (
        ["-c", "import zoo; zoo.VAE"],
        ["-c", "import export; export.save"],
        ["-m", "recipes.cli", "sample", "vae_mnist", "-o", "x.png"],
    ):
        environment = {**os.environ, variable: value}
        done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True)
        assert done.returncode != 0
        assert message in done.stderr.splitlines()[-1]
    assert len(done.stderr.strip().splitlines()) == 1


def test_importing_the_packages_is_light():
    code = "import sys, zoo, export, recipes.cli; assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
