"""Figures over seeds."""

import json

import pytest

from recipes.registry import settings_of
from recipes.spread import spread
from zoo.errors import ZooError


def run(folder, seed, distance, **changes):
    """Leaves what a finished run leaves."""
    settings = settings_of("gan_mnist")
    folder.mkdir()
    train = settings.train.model_copy(update={"seed": seed, **changes})
    (folder / "settings.yaml").write_text(settings.model_copy(update={"train": train}).to_yaml())
    figures = {"frechet_distance": distance, "class_shares": [0.4, 0.6 + distance / 100]}
    (folder / "evaluation.json").write_text(json.dumps(figures))
    (folder / "metrics.jsonl").write_text(json.dumps({"epoch": 1, "seconds": 120.0}) + "\n")
    return folder


def test_mean_and_standard_deviation(tmp_path):
    runs = [run(tmp_path / str(seed), seed, distance) for seed, distance in enumerate((2.0, 3.0, 7.0))]
    lines = spread(runs).splitlines()
    assert lines[0] == "gan_mnist, 3 runs, 2, 2, 2 minutes"
    assert lines[1].split() == ["frechet_distance", "4.0000", "+-", "2.6458", "(2.0000,", "3.0000,", "7.0000)"]
    assert [line[:14] for line in lines[2:]] == ["smallest class", "largest class "]


def test_runs_that_cannot_be_compared(tmp_path):
    first, other = run(tmp_path / "a", 0, 1.0), run(tmp_path / "b", 1, 2.0, epochs=3)
    with pytest.raises(ZooError, match=r"differ in more than train\.seed"):
        spread([first, other])
    with pytest.raises(ZooError, match="at least two"):
        spread([first])
    (other / "evaluation.json").unlink()
    with pytest.raises(ZooError, match="no finished run"):
        spread([first, other])
