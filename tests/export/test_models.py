"""Every public model exports every signature, in both formats, at parity; what is refused has a reason."""

import itertools

import numpy as np
import onnx
import pytest
import tensorflow as tf
from example_models import MODELS

import export
import zoo
from export import batches
from export.bodies import graphs_of

# Of gradients of repeated rows; of draws of TFP's, which come with channels last; of codes that are looked up.
TRANSPOSES = {"EBM, equilibrium matching": 7, "VQVAE": 3}
# Bytes beside weights: six draws, in loops and out of them, of a network that has few weights here.
OVERHEAD = {"ScoreModel": 130_000}


def check_lean(model: onnx.ModelProto, transposes: int, overhead: int) -> None:
    constants = [tensor for graph in graphs_of(model.graph) for tensor in graph.initializer]
    names = {tensor.name for tensor in constants}
    for graph in graphs_of(model.graph):
        assert sum(node.op_type == "Transpose" and node.input[0] not in names for node in graph.node) <= transposes
    defaults = {value.name for value in model.graph.input}
    values = [onnx.numpy_helper.to_array(tensor) for tensor in constants if tensor.name not in defaults]
    assert len({(value.dtype.str, value.shape, value.tobytes()) for value in values}) == len(values)
    large = [value for value in values if value.ndim == 2 and value.nbytes >= 1024]
    assert not any(np.array_equal(one, other.T) for one, other in itertools.combinations(large, 2))
    assert model.ByteSize() <= 1.02 * sum(value.nbytes for value in values) + overhead


LARGE = ("EBM, equilibrium matching", "HierarchicalVAE", "ScoreModel")
# What exports as another does, for it differs in training alone.
VARIANTS = ("BetaTCVAE", "BetaVAE", "EBM, score matching", "IWAE", "InfoVAE")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in (*LARGE, *VARIANTS) else name for name in MODELS]
)
def test_models_export_at_parity(name, tmp_path, monkeypatch):
    model = MODELS[name]()
    manifest = export.save(model, tmp_path / "bundle")
    assert set(manifest["signatures"]) == set(model.signatures())
    # A bound whose noise belongs to an image by its place among all of them is the only one that is run whole.
    whole = {name for name, entry in manifest["signatures"].items() if not entry["independent_rows"]}
    assert whole == {name for name, each in model.signatures().items() if each.stochastic and not each.numbers_rows}
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
    for file in (tmp_path / "bundle" / "onnx").iterdir():
        check_lean(onnx.load(file), TRANSPOSES.get(name, 2), OVERHEAD.get(name, 100_000))
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
