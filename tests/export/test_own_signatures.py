"""Models that declare signatures of their own, from export to use: names, counts, labels, several outputs."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import export
from export.draws import draws_inputs
from export.inputs import draw_inputs
from zoo.signature import COUNT, FIRST, SEED, NamedTensor, Signature, image_tensor

X, Y, NUMBER = NamedTensor("x", ("batch", 4)), NamedTensor("y", ("batch", 3)), NamedTensor("total", ())
ROWS = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)


class Own(keras.Model):
    """A dense layer, for signatures that are given."""

    def __init__(self, *signatures):
        super().__init__(name="own")
        self.dense = keras.layers.Dense(3)
        self.dense.build((None, 4))
        self.built = True
        self.declared = {signature.name: signature for signature in signatures}

    def signatures(self):
        return self.declared


def dense(x):
    return {"y": x @ tf.ones((4, 3))}


def drawn(n, seed, label=None):
    noise = tf.random.stateless_uniform([n, 8, 8, 1], tf.stack([seed, 0]))
    return noise if label is None else noise / 100 + tf.cast(label, tf.float32)[:, None, None, None] / 10


def test_rows_that_were_not_taken_apart_are_not_said_to_be_independent(tmp_path):
    count = NamedTensor("n", (), "int64", (1, 10_000), examples=(1, 4))
    numbers = lambda n: {"y": tf.cast(tf.range(n), "float32")[:, None]}  # noqa: E731
    export.save(Own(Signature("grid", numbers, (count,), (NamedTensor("y", ("n", 1)),))), tmp_path / "b", "onnx")
    np.testing.assert_array_equal(export.load(tmp_path / "b").run("grid", n=600)["y"][:, 0], np.arange(600))


@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_a_single_number_is_reduced_too(kind, tmp_path):
    inputs = keras.Input((4,), name="x")
    y = keras.layers.Dense(200)(keras.layers.Dense(200)(inputs))
    model = keras.Model(inputs, {"y": y, "loss": keras.ops.mean(keras.ops.square(y))})
    given = export.Reduction(kind, {"x": ROWS}, allow_drift=True)
    entry = export.save(model, tmp_path / "b", "onnx", reduction=given)["reduction"]["signatures"]["call"]
    assert {figure["output"] for figure in entry["drift"]} == {"y", "loss"}


def test_numbers_of_numpy_are_in_the_manifest(tmp_path):
    x = NamedTensor("x", ("batch", np.int64(4)), range=(np.float32(-3), np.float32(3)))
    export.save(Own(Signature("go", dense, (x,), (Y,))), tmp_path / "b", "onnx")
    assert json.loads((tmp_path / "b" / "manifest.json").read_text())["signatures"]["go"]["inputs"][0]["range"] == [
        -3,
        3,
    ]


def test_more_than_images_are_had_by_run(tmp_path):
    both = lambda n, seed: {"image": drawn(n, seed), "mean": tf.reduce_mean(drawn(n, seed), [1, 2, 3])}  # noqa: E731
    outputs = image_tensor("image", (8, 8, 1), "n"), NamedTensor("mean", ("n",))
    export.save(Own(Signature("sample", both, (SEED, COUNT), outputs)), tmp_path / "b", "onnx")
    assert (tmp_path / "b" / "preview.png").exists()
    bundle = export.load(tmp_path / "b")
    assert len(bundle.run("sample", n=3, seed=1)["mean"]) == 3
    with pytest.raises(export.ExportError, match=r"gives image, mean, not images alone: use run"):
        bundle.sample(3)


@pytest.mark.parametrize("ends", [(1, 10), None])
def test_labels_are_those_that_there_are(ends, tmp_path):
    label = NamedTensor("label", ("n",), "int64", ends, examples=(1, 9))
    sample = lambda n, seed, label: {"image": drawn(n, seed, label)}  # noqa: E731
    signature = Signature("sample", sample, (SEED, COUNT, label), (image_tensor("image", (8, 8, 1), "n"),))
    export.save(Own(signature), tmp_path / "b", "onnx")
    bundle = export.load(tmp_path / "b")
    assert (np.round(bundle.sample(3, label=4)[:, 0, 0, 0] * 10 - 0.05) == 4).all()
    if ends is None:
        with pytest.raises(export.ExportError, match="does not say which classes there are: pass label"):
            bundle.sample(3)
    else:
        assert np.round(bundle.sample(12)[:, 0, 0, 0] * 10 - 0.05).tolist() == [*range(1, 11), 1, 2]


def test_a_label_for_all_and_no_seed(tmp_path):
    label = NamedTensor("label", (), "int64", (0, 9))
    sample = lambda n, label: {"image": tf.ones([n, 8, 8, 1]) * tf.cast(label, tf.float32) / 10}  # noqa: E731
    signature = Signature("sample", sample, (COUNT, label), (image_tensor("image", (8, 8, 1), "n"),))
    export.save(Own(signature), tmp_path / "b", "onnx")
    bundle = export.load(tmp_path / "b")
    assert bundle.sample(2, label=5).mean() == pytest.approx(0.5)
    with pytest.raises(export.ExportError, match="pass label"):
        bundle.sample(2)


def test_what_sample_cannot_be_told_is_not_left_out(tmp_path):
    drawer = lambda seed: {"image": drawn(2, seed)}  # noqa: E731
    same = lambda n: {"image": tf.ones([n, 8, 8, 1])}  # noqa: E731
    for name, function, given, message in (
        ("fixed", drawer, (SEED,), "is not told how many to draw: use run"),
        ("same", same, (COUNT,), "takes no seed"),
    ):
        output = image_tensor("image", (8, 8, 1), "n" if COUNT in given else "rows")
        export.save(Own(Signature("sample", function, given, (output,))), tmp_path / name, "onnx")
        with pytest.raises(export.ExportError, match=message):
            export.load(tmp_path / name).sample(3, seed=1)
    assert export.load(tmp_path / "same").sample(3).shape == (3, 8, 8, 1)


def test_rows_that_labels_do_not_begin_at_are_refused(tmp_path):
    label = NamedTensor("label", ("n",), "int64", (0, 9))
    sample = lambda n, seed, label, first: {"image": drawn(n, seed, label) + 0 * tf.cast(first, tf.float32)}  # noqa: E731
    signature = Signature("sample", sample, (SEED, COUNT, label, FIRST), (image_tensor("image", (8, 8, 1), "n"),))
    export.save(Own(signature), tmp_path / "b", "onnx")
    with pytest.raises(export.ExportError, match="input 'first' of 'sample' is -4, expected 0 to"):
        export.load(tmp_path / "b").sample(3, first=-4)


@pytest.mark.parametrize("channels", [2, 5])
def test_what_is_no_picture_has_no_preview(channels, tmp_path):
    sample = lambda n, seed: {"image": tf.random.stateless_uniform([n, 8, 8, channels], tf.stack([seed, 0]))}  # noqa: E731
    signature = Signature("sample", sample, (SEED, COUNT), (image_tensor("image", (8, 8, channels), "n"),))
    export.save(Own(signature), tmp_path / "b", "onnx")
    assert not (tmp_path / "b" / "preview.png").exists()


@pytest.mark.parametrize(
    "signatures",
    [
        [Signature("serving_default", dense, (X,), (Y,)), Signature("other", dense, (X,), (Y,))],
        [
            Signature("f", lambda x, s: dense(x * s), (X, NamedTensor("s", (), default=1.0)), (Y,)),
            Signature("f_with_options", dense, (X,), (Y,)),
        ],
    ],
)
def test_endpoints_that_would_have_one_name_are_refused(signatures, tmp_path):
    with pytest.raises(export.ExportError, match="a SavedModel has something else named"):
        export.save(Own(*signatures), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_vector_may_be_called_n():
    signature = Signature("go", dict, (SEED, NamedTensor("n", ("batch",), "int64")), (Y,))
    inputs = draws_inputs(signature, draw_inputs(signature.inputs, 1, 0), True)
    assert {part["n"].shape for part in inputs} == {(64,)}


@pytest.mark.parametrize("ends", [(1, 1000), (0, 100)])
def test_seeds_for_reductions_are_those_that_are_declared(ends, tmp_path):
    seed, first = NamedTensor("seed", (), "int64", ends), NamedTensor("first", (), "int64", (0, 90))
    kernel = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32) / 8

    def sample(n, seed, first):
        noise = tf.reshape(drawn(n, seed), [-1, 64]) + 0 * tf.cast(first, tf.float32)
        return {"image": tf.reshape(tf.sigmoid(noise @ kernel @ kernel), [-1, 8, 8, 1])}

    signature = Signature("sample", sample, (seed, COUNT, first), (image_tensor("image", (8, 8, 1), "n"),))
    images = np.random.default_rng(1).uniform(size=(150, 8, 8, 1)).astype(np.float32)
    given = export.Reduction("int8", images, calibration=images, allow_drift=True)
    export.save(Own(signature), tmp_path / "b", "onnx", reduction=given)
    export.verify(tmp_path / "b")


def test_the_card_says_what_is_described(tmp_path):
    x = NamedTensor("x", ("batch", 4), description="millimetres")
    signature = Signature("go", dense, (x,), (Y,), description="Adds them up.")
    export.save(Own(signature), tmp_path / "b", "onnx")
    assert "`go`: Adds them up. x: millimetres" in (tmp_path / "b" / "card.md").read_text(encoding="utf-8")


def test_rows_are_numbered_in_fours_where_no_default_is():
    first = NamedTensor("first", (), "int64", (0, 90))
    for seed in range(20):
        assert draw_inputs((SEED, first), 1, seed)["first"] % 4 == 0
    assert draw_inputs((SEED, FIRST), 1, 0)["first"] == 0


def bits_of(chance, seeds):
    """Returns a signature that draws single bits, of which some have a chance to be 1."""

    def draw(n, seed):
        return {"bit": tf.cast(tf.random.stateless_uniform([n], tf.stack([seed * seeds, 4])) < chance, tf.float32)}

    return Signature("draw", draw, (SEED, COUNT), (NamedTensor("bit", ("n",)),))


@pytest.mark.parametrize("chance", [0.02, 0.5, 0.85, 0.98])
def test_draws_of_few_values_are_exported(chance, tmp_path):
    export.save(Own(bits_of(chance, seeds=1)), tmp_path / "b", "onnx")


def test_a_seed_without_effect_on_draws_of_few_values_is_found(tmp_path):
    with pytest.raises(export.ExportError, match="another seed gives the same draw, of 9 that were tried"):
        export.save(Own(bits_of(0.02, seeds=0)), tmp_path / "b", "onnx")


def test_labels_are_as_many_as_are_counted(tmp_path):
    """Or one noise would be that of several labels."""
    label = NamedTensor("label", ("n",), "int64", (0, 9))
    sample = lambda n, seed, label: {"image": drawn(n, seed, label)}  # noqa: E731
    signature = Signature("sample", sample, (SEED, COUNT, label), (image_tensor("image", (8, 8, 1), "n"),))
    export.save(Own(signature), tmp_path / "b", "onnx")
    bundle = export.load(tmp_path / "b")
    assert bundle.run("sample", n=3, seed=0, label=[1, 2, 3])["image"].shape == (3, 8, 8, 1)
    for n, labels in ((1, [3] * 5), (5, [3]), (2**31 - 1, [0, 1, 2])):
        with pytest.raises(export.ExportError, match=rf"given {len(labels)} of 'label', and n is {n}: "):
            bundle.run("sample", n=n, seed=0, label=labels)


def interpolated(n, seed):
    ends = tf.random.stateless_normal([2, 64], tf.stack([seed, 0]))
    share = tf.linspace(0.0, 1.0, tf.cast(n, tf.int32))[:, None]
    return {"image": tf.reshape(tf.sigmoid(ends[:1] * (1 - share) + ends[1:] * share), [-1, 8, 8, 1])}


def augmented(x, seed):
    return {"y": dense(x)["y"] + tf.random.stateless_normal([3], tf.stack([seed, 0]))}


def weighed(x, seed, samples):
    noise = tf.random.stateless_normal(tf.stack([samples, tf.cast(tf.shape(x)[0], samples.dtype)]), tf.stack([seed, 0]))
    return {"weight": noise, "bound": tf.reduce_logsumexp(noise, axis=0)}


def accepted(n, seed):
    drawn = tf.random.stateless_uniform([n, 2], tf.stack([seed, 0]))
    return {"kept": tf.boolean_mask(drawn, drawn[:, 0] < 0.6)}


@pytest.mark.parametrize(
    "signature",
    [
        Signature(
            "interpolate",
            interpolated,
            (NamedTensor("n", (), "int64", (2, 64)), SEED),
            (image_tensor("image", (8, 8, 1), "n"),),
        ),
        Signature("augment", augmented, (X, SEED), (Y,)),
        Signature(
            "weigh",
            weighed,
            (X, SEED, NamedTensor("samples", (), "int64", (1, 500), examples=(2, 6))),
            (NamedTensor("weight", ("drawn", "batch")), NamedTensor("bound", ("batch",))),
        ),
        Signature("accept", accepted, (COUNT, SEED), (NamedTensor("kept", ("kept", 2)),)),
    ],
    ids=lambda signature: signature.name,
)
def test_rows_that_are_no_independent_draws_are_exported(signature, tmp_path):
    export.save(Own(signature), tmp_path / "b")
    export.verify(tmp_path / "b")


def test_seeds_that_share_their_noise_are_found(tmp_path):
    """Noise of step i from seed + i: the second of one seed is the first of the next."""

    def draw(n, seed):
        noise = [tf.random.stateless_normal([n, 2], tf.stack([seed + i, 0])) for i in range(3)]
        return {"y": tf.concat(noise, axis=1)}

    signature = Signature("draw", draw, (COUNT, SEED), (NamedTensor("y", ("n", 6)),))
    with pytest.raises(export.ExportError, match="draws for different seeds depend on each other"):
        export.save(Own(signature), tmp_path / "b")


def test_a_repeated_noise_is_no_dependence_of_seeds(tmp_path):
    def repeated(n, seed):
        noise = tf.random.stateless_normal(tf.stack([(n + 3) // 4, tf.constant(8, tf.int64)]), tf.stack([seed, 1]))
        return {"y": tf.tile(noise, (4, 1))[:n]}

    export.save(Own(Signature("repeat", repeated, (COUNT, SEED), (NamedTensor("y", ("n", 8)),))), tmp_path / "b")


@pytest.mark.parametrize(("ends", "examples"), [((7, 7), None), ((0, 2**63 - 1), (5, 5)), ((0, np.inf), None)])
def test_a_seed_may_have_one_value_or_no_last_one(ends, examples, tmp_path):
    seed = NamedTensor("seed", (), "int64", ends, examples=examples)
    function = lambda n, seed: {"image": drawn(n, seed)}  # noqa: E731
    signature = Signature("draw", function, (seed, COUNT), (image_tensor("image", (8, 8, 1), "n"),))
    export.save(Own(signature), tmp_path / "b", "onnx")


def test_a_sequence_may_have_a_longest(tmp_path):
    def noisy(x, seed):
        table = tf.range(32.0)[:, None] * tf.ones([1, 8])
        places = tf.range(tf.shape(x)[0])
        tf.debugging.assert_less(tf.shape(x)[0], 33)
        return {"y": x + tf.gather(table, places) + tf.random.stateless_normal(tf.shape(x), tf.stack([seed, 0]))}

    x, y = (NamedTensor(name, ("length", 8)) for name in "xy")
    export.save(Own(Signature("noisy", noisy, (x, SEED), (y,))), tmp_path / "b", "saved_model")


def test_a_number_called_first_without_a_seed_is_any_number(tmp_path):
    first = NamedTensor("first", (), "int64", (1, 3))
    pick = lambda x, first: {"y": tf.gather(x, [first - 1], axis=1)}  # noqa: E731
    export.save(Own(Signature("pick", pick, (X, first), (NamedTensor("y", ("batch", 1)),))), tmp_path / "b", "onnx")


@pytest.mark.parametrize("defect", ["nan", "beyond", "some", "spread", "repeated"])
def test_draws_that_go_wrong_in_many_rows_alone_are_found(defect):
    """Where the few rows that values are compared for are right."""
    from export.parity import compare, reference

    signature = Signature(
        "draw",
        lambda n, seed: {"y": tf.sigmoid(tf.random.stateless_normal([n, 4], tf.stack([seed, 0])))},
        (COUNT, SEED),
        (NamedTensor("y", ("n", 4), range=(0.0, 1.0)),),
    )

    def run(**inputs):
        return {"y": signature.function(**inputs)["y"].numpy()}

    def wrong(**inputs):
        y = run(**inputs)["y"]
        if len(y) > 10:
            if defect == "repeated":
                y = np.tile(y[:16], (len(y) // 16 + 1, 1))[: len(y)]
            elif defect == "spread":
                y = np.clip(0.5 + 1.3 * (y - 0.5), 0, 1)
            else:
                y[::20] = {"nan": np.nan, "beyond": 7.0, "some": 0.5}[defect]
        return {"y": y}

    expected = reference(signature, run, run)
    compare(signature, expected, run, "onnx")
    with pytest.raises(export.ExportError, match=r"differ from those of the model|not finite|ranges from"):
        compare(signature, expected, wrong, "onnx")


def test_a_model_that_draws_nan_now_and_then_is_refused(tmp_path):
    def draw(n, seed):
        noise = tf.random.stateless_uniform([n, 2], tf.stack([seed, 0]))
        return {"y": tf.where(tf.range(n)[:, None] % 50 == 49, np.nan, noise)}

    with pytest.raises(export.ExportError, match="in the model: output 'y' is not finite"):
        export.save(Own(Signature("draw", draw, (COUNT, SEED), (NamedTensor("y", ("n", 2)),))), tmp_path / "b")


def test_draws_of_the_right_values_for_other_seeds_are_compared_too(tmp_path, monkeypatch):
    """Where what is drawn for equal seeds is not compared, as of reduced files on another processor."""
    from export import parity

    export.save(Own(bits_of(0.5, seeds=1)), tmp_path / "b", "onnx")
    draws = parity._draws
    monkeypatch.setattr(parity, "check_equal_draws", lambda *_: None)
    monkeypatch.setattr(parity, "_draws", lambda *given: np.ones_like(draws(*given)))
    with pytest.raises(export.ExportError, match="draws are spread otherwise"):
        export.verify(tmp_path / "b")
