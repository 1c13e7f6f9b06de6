"""The table of likelihoods, made from run folders."""

import json

import pytest

from recipes.figures import headline
from recipes.registry import settings_of
from recipes.table import measured, table
from zoo.errors import ZooError

FIGURES = {"nll": 87.123, "standard_error": 0.24, "draws": 5000, "images": 10_000, "likelihood_of": "binary images"}


def run(folder, name, settings=None):
    """Leaves what a finished run leaves."""
    (folder / name).mkdir()
    (folder / name / "settings.yaml").write_text((settings or settings_of(name)).to_yaml())
    (folder / name / "evaluation.json").write_text(json.dumps(FIGURES))
    lines = [{"epoch": 1, "seconds": 60.0}, {"epoch": 2, "seconds": 90.0}, {"stage": "prior", "seconds": 30.0}]
    (folder / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_row_for_each_finished_run(tmp_path):
    run(tmp_path, "vae_burda")
    settings = settings_of("iwae_burda")
    started = settings.train.model_copy(update={"start_from": "runs/vae_burda"})
    run(tmp_path, "iwae_burda", settings.model_copy(update={"train": started}))
    (tmp_path / "vae_mnist").mkdir()
    rows = [line.split(" | ") for line in table(tmp_path).splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows] == ["| `iwae_burda`", "| `vae_burda`"]
    assert rows[1][2] == "86.76 (Burda et al. 2016)"
    assert rows[1][3:] == ["87.12 +- 0.24 nats", "5,000", "10,000", "425,284", "2", "3 |"]


def test_runs_with_other_settings_are_refused(tmp_path):
    settings = settings_of("vae_burda")
    shorter = settings.train.model_copy(update={"epochs": 3})
    run(tmp_path, "vae_burda", settings.model_copy(update={"train": shorter}))
    with pytest.raises(ZooError, match="other settings"):
        table(tmp_path)


def test_a_run_that_goes_on_names_where_it_began(tmp_path):
    settings = settings_of("iwae_burda")
    run(tmp_path, "iwae_burda")
    with pytest.raises(ZooError, match="started from nothing, expected vae_burda"):
        table(tmp_path)
    started = settings.train.model_copy(update={"start_from": "runs/vae_burda"})
    (tmp_path / "iwae_burda" / "settings.yaml").write_text(settings.model_copy(update={"train": started}).to_yaml())
    assert "| 2 after `vae_burda` |" in table(tmp_path)


def test_without_runs_there_is_no_table(tmp_path):
    with pytest.raises(ZooError, match="no finished run"):
        table(tmp_path)


def test_a_likelihood_given_the_label_says_so():
    figures = {**FIGURES, "likelihood_of": "binary images, given the label", "data": "mnist"}
    assert measured(figures) == "87.12 +- 0.24 nats given the label"
    expected = "NLL at most 87.12 +- 0.24 nats given the label (mnist test, 10,000 images, 1 draw)"
    assert headline({**figures, "draws": 1}) == expected


def test_levels_are_measured_in_bits():
    levels = {"nll": 1000.0, "standard_error": 10.0, "bits_per_dimension": 4.0, "likelihood_of": "256 levels"}
    assert measured({**FIGURES, **levels}) == "4.000 +- 0.040 bits/dim"
    conditional = {**levels, "likelihood_of": "256 levels, given the label"}
    assert measured({**FIGURES, **conditional}) == "4.000 +- 0.040 bits/dim given the label"
