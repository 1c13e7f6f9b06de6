"""Every public model exports every signature, in both formats, at parity; what is refused has a reason."""

import numpy as np
import pytest
import tensorflow as tf
from example_models import MODELS

import export
import zoo
from export import batches


@pytest.mark.parametrize("name", MODELS)
def test_models_export_at_parity(name, tmp_path, monkeypatch):
    model = MODELS[name]()
    manifest = export.save(model, tmp_path / "bundle")
    assert set(manifest["signatures"]) == set(model.signatures())
    families = {
        zoo.JointEnergyModel: {"classify", "energy", "restore", "score"},
        zoo.EBM: {"energy", "restore", "score"},
        zoo.GAN: {"generate", "discriminate"},
        zoo.RBM: {"energy", "reconstruct"},
        zoo.ScoreModel: {"denoise", "score", "anomaly_score", "restore"},
    }
    encodes = {"encode", "decode", "reconstruct"}
    verbs = next((known for kind, known in families.items() if isinstance(model, kind)), encodes)
    assert {*verbs, "sample"} <= set(manifest["signatures"])
    bundle = export.load(tmp_path / "bundle")
    for options in ({}, {"temperature": 0.5}):
        np.testing.assert_allclose(bundle.sample(5, seed=3, **options), model.sample(5, seed=3, **options), atol=1e-4)
    monkeypatch.setattr(batches, "ROWS", 4)  # a batch at a time is what it is at once
    np.testing.assert_allclose(bundle.sample(11, seed=3), model.sample(11, seed=3), atol=1e-4)
    sample = tf.saved_model.load(str(tmp_path / "bundle" / "saved_model")).signatures["sample"]
    count = {"n": tf.constant(5, tf.int64)}
    if model.num_classes is not None:
        count = {"label": tf.range(5, dtype=tf.int64) % model.num_classes}
        np.testing.assert_allclose(bundle.sample(3, label=2), model.sample(3, label=2), atol=1e-4)
    images = sample(seed=tf.constant(3, tf.int64), **count)["image"]
    np.testing.assert_allclose(images, model.sample(5, seed=3), atol=1e-4)
