"""Everything in the README that can be run is run, from an empty folder, in its order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo import presets

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", README, re.DOTALL)
SHORTER = {"train.epochs=100": "train.epochs=2", "epochs=20": "epochs=2"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    (folder / "photos").mkdir()
    generator = np.random.default_rng(0)
    for index in range(300):
        Image.fromarray(generator.integers(0, 256, (30, 34), np.uint8)).save(folder / "photos" / f"{index}.png")
    return folder


def run(language: str, text: str, folder: Path) -> None:
    """Runs a block as its reader would, but with fewer epochs."""
    for long, short in SHORTER.items():
        text = text.replace(long, short)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-c", text] if language == "python" else ["bash", "-euc", text]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_all_blocks_in_order(folder):
    assert [language[0] for language, _ in BLOCKS] == list("bbpppppbppp")
    for language, text in BLOCKS:
        run(language, text, folder)
    assert (folder / "samples.png").exists()


def test_the_table_of_presets_is_that_of_the_registry():
    from recipes.figures import headline

    for name, entry in presets.registry().items():
        rows = [line for line in README.splitlines() if line.startswith(f"| `{name}`")]
        said = (headline(entry["figures"]), f"{entry['bytes'] / 1e6:.1f} MB")
        assert any(all(text in row for text in said) for row in rows)


def test_the_commands_named_in_the_text_exist():
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z-]+)", README.replace("and make are", "")):
        assert f"\n{target}:" in makefile
