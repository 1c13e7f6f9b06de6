"""Labels in the game: the three ways, what is drawn, what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import zoo
from zoo.gan.penalties import R1
from zoo.networks.dcgan import dcgan_discriminator, dcgan_generator
from zoo.networks.judgement import CONDITIONINGS

SHAPE = (8, 8, 1)


def conditional(conditioning: str, num_classes: int = 3, **options) -> zoo.ConditionalGAN:
    keras.utils.set_random_seed(1)
    discriminator = dcgan_discriminator(SHAPE, (16, 32), "none", num_classes, conditioning)
    generator = dcgan_generator(SHAPE, 8, (32, 16), num_classes)
    return zoo.ConditionalGAN(generator, discriminator, seed=0, **options)


@pytest.mark.parametrize(
    "conditioning",
    [pytest.param(each, marks=pytest.mark.slow) if each != "projection" else each for each in CONDITIONINGS],
)
def test_samples_are_of_the_class_asked_for(digits, conditioning):
    """Nearest class means tell the digits 0 and 1 of real images, and so of generated ones."""
    labels = load_digits().target
    kept = labels < 2
    images, labels = digits[kept], labels[kept]
    model = conditional(conditioning, 2, penalties=[R1(1.0)], average=0.99)
    model.compile(*(keras.optimizers.Adam(2e-3, 0.5) for _ in range(2)), jit_compile=True)
    model.fit(images, labels, batch_size=32, epochs=25, verbose=0)
    means = np.stack([images[labels == label].mean(axis=0) for label in (0, 1)])
    for label in (0, 1):
        drawn = model.sample(100, seed=0, label=label)
        told = np.square(drawn[:, None] - means).sum(axis=(2, 3, 4)).argmin(axis=1)
        assert (told == label).mean() > 0.9


def test_labels_reach_both_networks():
    """With equal noise another label gives other images, and, given labels, other logits."""
    for conditioning in ("projection", "concatenation"):
        model = conditional(conditioning)
        latents = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
        images = [model.generate(latents, np.full(4, label)) for label in (0, 1)]
        assert not np.allclose(*images)
        logits = [model.discriminate(images[0], np.full(4, label))["logit"] for label in (0, 1)]
        assert not np.allclose(*logits)


def test_a_discriminator_that_classifies_learns_to(digits):
    labels = load_digits().target
    kept = labels < 3
    images, labels = digits[kept], labels[kept]
    model = conditional("classifier")
    model.compile(*(keras.optimizers.Adam(2e-3, 0.5) for _ in range(2)))
    held_out = (images[400:], labels[400:])
    history = model.fit(images[:400], labels[:400], batch_size=32, epochs=6, validation_data=held_out, verbose=0)
    assert history.history["val_class_loss"][-1] < 0.3
    found = model.discriminate(images)
    assert set(found) == {"logit", "class_logit"}
    assert (found["class_logit"].argmax(axis=1) == labels).mean() > 0.9
    with pytest.raises(zoo.ZooError, match="does not take it: leave labels out"):
        model.discriminate(images, labels)


def test_the_classifier_weighs_in_both_gradients(digits):
    """With a heavy classifier its gradient is nearly all there is: steps of SGD grow with its weight."""
    lengths = []
    for weight in (1.0, 1000.0):
        model = conditional("classifier", classifier_weight=weight, average=0.0)
        model.compile(*(keras.optimizers.SGD(1e-5) for _ in range(2)))
        networks = (model.generator, model.discriminator)
        before = [[weight.numpy() for weight in network.trainable_variables] for network in networks]
        model.train_step((tf.constant(digits[:8]), tf.range(8) % 3))
        after = [[weight.numpy() for weight in network.trainable_variables] for network in networks]
        lengths.append(
            [
                sum(np.abs(new - old).sum() for new, old in zip(*pair, strict=True))
                for pair in zip(after, before, strict=True)
            ]
        )
    assert all(heavy > 20 * light for light, heavy in zip(*lengths, strict=True))


def test_labels_that_are_missing_or_out_of_range(digits):
    model = conditional("projection")
    model.compile()
    for labels, message in ((None, "labels in y are missing"), (np.full(16, 3), "expected 0 to 2")):
        with pytest.raises(zoo.ZooError, match=message):
            model.fit(digits[:16], labels, verbose=0)
    with pytest.raises(zoo.ZooError, match="are all 7, expected 0 to 2"):
        model.sample(2, label=7)
    with pytest.raises(zoo.ZooError, match="is conditional: pass labels"):
        model.generate(np.zeros((2, 8)))
    with pytest.raises(zoo.ZooError, match="is conditional: pass labels"):
        model.discriminate(digits[:2])
    batches = tf.data.Dataset.from_tensor_slices((digits[:32], np.repeat([0, 9], 16))).batch(16)
    with pytest.raises(zoo.ZooError, match=r"batch 2: loss is not finite.*labels out of range"):
        model.fit(batches, verbose=0)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_labels_out_of_range_in_a_dataset_leave_the_weights_finite(digits, jit_compile):
    model = conditional("classifier")
    model.compile(jit_compile=jit_compile)
    batches = tf.data.Dataset.from_tensor_slices((digits[:32], np.repeat([0, 9], 16))).batch(16)
    with pytest.raises(zoo.ZooError, match="labels out of range"):
        model.fit(batches, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_predict_has_no_image_of_a_class_that_is_none():
    model = conditional("projection")
    images = model.predict([np.zeros((2, 8), np.float32), np.array([0, 7])], verbose=0)
    assert np.isfinite(images[0]).all()
    assert np.isnan(images[1]).all()


def test_networks_that_do_not_fit():
    generator = dcgan_generator(SHAPE, 4, (4,), num_classes=3)
    for parts, message in (
        ((dcgan_generator(SHAPE, 4, (4,)), dcgan_discriminator(SHAPE, (4,), num_classes=3)), "generator of a Cond"),
        ((generator, dcgan_discriminator(SHAPE, (4,))), "discriminator of a ConditionalGAN takes two inputs"),
        ((generator, dcgan_discriminator(SHAPE, (4,), num_classes=4)), "labels of 3 classes, but the discriminator"),
        (
            (generator, dcgan_discriminator(SHAPE, (4,), num_classes=4, conditioning="classifier")),
            "labels of 3 classes, but the discriminator",
        ),
    ):
        with pytest.raises(zoo.ZooError, match=message):
            zoo.ConditionalGAN(*parts)
    with pytest.raises(zoo.ZooError, match="use ConditionalGAN"):
        zoo.GAN(generator, dcgan_discriminator(SHAPE, (4,)))
    with pytest.raises(zoo.ZooError, match="classifier_weight is 0"):
        conditional("classifier", classifier_weight=0)


def test_exported_functions_give_nan_for_a_label_that_is_no_class():
    """They cannot say so in words."""
    model = conditional("projection")
    image = model.signatures()["sample"].function(
        seed=tf.constant(0, tf.int64),
        temperature=tf.constant(1.0),
        first=tf.constant(0, tf.int64),
        label=tf.constant([0, 7, -1], tf.int64),
    )["image"]
    np.testing.assert_array_equal(np.isnan(image).all(axis=(1, 2, 3)), [False, True, True])
    logit = model.signatures()["discriminate"].function(
        image=tf.zeros([2, *SHAPE]), label=tf.constant([0, 7], tf.int64)
    )
    np.testing.assert_array_equal(np.isnan(logit["logit"]), [False, True])
