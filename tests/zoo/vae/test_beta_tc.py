"""The three parts of the KL."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

import zoo
from zoo.networks import mlp_decoder, mlp_encoder
from zoo.vae.beta_tc import BetaTCVAE

SHAPE = (3, 2, 1)
IMAGES = tf.constant(np.random.default_rng(0).integers(0, 2, (16, *SHAPE)).astype(np.float32))


def model(**options):
    keras.utils.set_random_seed(1)
    return BetaTCVAE(mlp_encoder(SHAPE, (6,)), mlp_decoder(2, SHAPE, (6,)), seed=0, **{"dataset_size": 16, **options})


def test_the_parts_add_up_to_the_kl():
    trained = model(alpha=1.0, beta=1.0, gamma=1.0)
    objective = tf.function(lambda seed: trained.objective(IMAGES, seed, False), autograph=False)
    values = [objective(tf.constant(seed, tf.int64)) for seed in range(500)]
    parts = np.array(
        [
            np.mean(value["mutual_information"] + value["total_correlation"] + value["dimension_wise_kl"])
            for value in values
        ]
    )
    kl = np.mean([value["kl"] for value in values])
    assert abs(parts.mean() - kl) < 4.5 * parts.std() / np.sqrt(len(parts)) + 1e-4


def test_weights_of_a_batch_add_up_to_one():
    for rows in (1, 2, 7):
        weights = np.exp(model(dataset_size=1000)._log_weights_of_batch(tf.constant(rows)).numpy())
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
        assert weights[0, 0] == pytest.approx(1.0 if rows == 1 else 1e-3)


def test_correlated_codes_cost_total_correlation():
    """Codes on a line: q(z) is far from the product of its marginals; independent ones are not."""
    trained, generator = model(dataset_size=512), np.random.default_rng(0)
    line = generator.normal(size=(512, 1)).astype(np.float32)
    found = []
    for loc in (np.concatenate([line, line], axis=1), generator.normal(size=(512, 2)).astype(np.float32)):
        posterior = tfd.Independent(tfd.Normal(loc, np.full_like(loc, 0.3)), 1)
        latents = loc + 0.3 * generator.normal(size=loc.shape).astype(np.float32)
        found.append(float(tf.reduce_mean(trained._parts(posterior, tf.constant(latents))[1])))
    # Two Normals of variance 1.09 and covariance 1: -1/2 log(1 - (1 / 1.09)^2).
    assert found[0] == pytest.approx(-0.5 * np.log(1 - (1 / 1.09) ** 2), abs=0.12)
    assert abs(found[1]) < 0.12


def test_mutual_information_of_codes_that_tell_images_apart():
    """Far apart, a code tells which image it is of: log of the size of the data, larger than the batch."""
    for size in (64, 500):
        trained, generator = model(dataset_size=size), np.random.default_rng(0)
        loc = 100 * np.arange(64, dtype=np.float32)[:, None] * np.ones(2, np.float32)
        posterior = tfd.Independent(tfd.Normal(loc, np.ones_like(loc)), 1)
        latents = loc + generator.normal(size=loc.shape).astype(np.float32)
        information = tf.reduce_mean(trained._parts(posterior, tf.constant(latents))[0])
        assert float(information) == pytest.approx(np.log(size), rel=1e-4)


def test_more_images_than_were_said_are_refused():
    trained = model(dataset_size=4)
    trained.compile("adam")
    with pytest.raises(zoo.ZooError, match="x has 5 images, but dataset_size is 4"):
        trained.fit(np.zeros((5, *SHAPE), np.float32))


def test_bad_parts():
    for options, message in (
        ({"dataset_size": 1}, "dataset_size is 1"),
        ({"prior": "vamp"}, "StandardNormal"),
        ({"beta": -1.0}, "beta is -1.0"),
        ({"free_bits": 1.0}, "no free_bits"),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            model(**options)


def test_each_part_is_paid_for_by_its_weight():
    trained = model(alpha=0.5, beta=3.0, gamma=1.5, kl_warm_up=10)
    trained.compile("adam")
    for training, share, step in ((False, 1.0, 0), (True, 0.5, 5)):
        trained._batches.assign(step)
        values = trained.objective(IMAGES, 3, training)
        parts = [values[name] for name in ("mutual_information", "total_correlation", "dimension_wise_kl")]
        paid = sum(weight * part for weight, part in zip((0.5, 3.0, 1.5), parts, strict=True))
        np.testing.assert_allclose(values["loss"], share * paid - values["reconstruction"], rtol=1e-4)


@pytest.mark.parametrize(
    "wrap", [tf.constant, list, lambda images: tf.data.Dataset.from_tensor_slices(images).batch(5)]
)
def test_more_images_than_were_said_are_refused_whatever_holds_them(wrap):
    trained = model(dataset_size=4)
    trained.compile("adam")
    with pytest.raises(zoo.ZooError, match="dataset_size"):
        trained.fit(wrap(np.zeros((5, *SHAPE), np.float32)), verbose=0)


@pytest.mark.parametrize("make", [lambda: model(), lambda: zoo.InfoVAE(mlp_encoder(SHAPE), mlp_decoder(2, SHAPE))])
def test_batches_of_one_image_are_refused(make):
    """What compares the images of a batch is 0 there."""
    made = make()
    made.compile("adam")
    images = np.zeros((4, *SHAPE), np.float32)
    for given, options in ((images, {"batch_size": 1}), (tf.data.Dataset.from_tensor_slices(images).batch(1), {})):
        with pytest.raises(zoo.ZooError, match=r"batches of 1, expected 2 or more: the .* compares the images"):
            made.fit(given, **options, verbose=0)
