"""The wheel: built, installed where nothing else is, and used from an empty folder."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TRY = """
import export, recipes, zoo
from pathlib import Path
for package in (export, recipes, zoo):
    assert Path(package.__file__).resolve().is_relative_to(Path({where!r}).resolve()), package.__file__
model = zoo.from_preset("vae_mnist")
assert model.sample(2).shape == (2, 28, 28, 1)
export.save(model, "bundle", ["onnx"])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source") / "genzoo"
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in files.stdout.splitlines():  # a copy, so that the build leaves nothing in the checkout
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(folder.glob("genzoo-*.whl"))


def test_contents(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"zoo/weights/registry.json", "zoo/weights/vae_mnist/model.weights.h5", "recipes/cli.py"} <= names
    assert not any(name.startswith("tests") for name in names)
    entry_points = next(name for name in names if name.endswith("entry_points.txt"))
    assert "zoo = recipes.cli:main" in zipfile.ZipFile(wheel).read(entry_points).decode()


def test_it_works_beside_the_packages_it_needs(wheel, tmp_path):
    """Quick: installed alone into a folder that goes before the checkout."""
    where = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(where), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    (tmp_path / "empty").mkdir()
    code = f"import sys; sys.path.insert(0, {str(where)!r})\n" + TRY.format(where=str(where))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "empty", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_it_works_in_an_empty_environment(wheel, tmp_path):
    """Thorough: a new virtual environment, into which pip brings everything."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    constraints = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *constraints, str(wheel)], check=True, capture_output=True
    )
    (tmp_path / "empty").mkdir()
    for command in (
        [python, "-c", TRY.format(where=str(tmp_path / "venv"))],
        [tmp_path / "venv" / "bin" / "zoo", "sample", "vae_mnist", "-n", "4", "-o", "out.png"],
        [tmp_path / "venv" / "bin" / "zoo", "train", "vae_digits", "--smoke"],
    ):
        done = subprocess.run(list(map(str, command)), cwd=tmp_path / "empty", capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
