"""The demo: all that it promises is there, and fits together."""

import json

import numpy as np
from PIL import Image

import export
import zoo
from recipes.demo import main


def test_the_demo_leaves_what_it_promises(tmp_path, capsys):
    folder = tmp_path / "demo"
    main(folder)
    for name in ("samples.png", "reconstructions.png", "pretrained_samples.png"):
        with Image.open(folder / name) as picture:
            assert np.asarray(picture).std() > 20  # neither blank nor one grey
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["evaluation"]["nll"] < 24.5
    assert metrics["sample_difference"] < 1e-5
    assert metrics["seconds"] < 900  # a bound on hanging; the aim is 180 on two free cores
    export.verify(folder / "bundle")
    model = zoo.load_model(folder / "run" / "model.keras")
    np.testing.assert_allclose(export.load(folder / "bundle").sample(3), model.sample(3), atol=1e-5)
    assert "made in" in capsys.readouterr().out
