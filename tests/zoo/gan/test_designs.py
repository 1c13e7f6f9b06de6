"""The settings of four papers, for images of every size that is named, grey and in colour."""

import numpy as np
import pytest

import zoo
from zoo.gan import designs

DESIGNS = {"dcgan": designs.dcgan, "sngan": designs.sngan, "wgan_gp": designs.wgan_gp, "r3gan": designs.r3gan}


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28, 3), (32, 32, 1), (32, 32, 3), (64, 64, 3), (8, 6, 1)])
def test_layers_halve_images_down_to_four_to_seven_places(shape):
    widths = designs.widths(shape, 2)
    places = min(shape[:2])
    for index, width in enumerate(widths):
        places = -(-places // 2)
        assert width == 2 * 2**index
    assert 3 <= places <= 7


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("num_classes", [None, pytest.param(3, marks=pytest.mark.slow)])
def test_designs_train_and_draw(name, num_classes):
    model = DESIGNS[name]((8, 6, 3), filters=(4, 6), latent_size=5, num_classes=num_classes)
    images = np.random.default_rng(0).random((20, 8, 6, 3), np.float32)
    labels = None if num_classes is None else np.arange(20) % 3
    model.fit(images, labels, batch_size=10, verbose=0)
    assert model.sample(4).shape == (4, 8, 6, 3)
    assert isinstance(model, zoo.GAN) and (model.num_classes == num_classes)


def test_options_replace_those_of_the_paper():
    model = designs.r3gan((8, 8, 1), (4,), loss="non_saturating", penalties=["r1"], average=0.5)
    assert (model.loss_name, [penalty.name for penalty in model.penalties]) == ("non_saturating", ["r1"])
    assert model.average == 0.5


def test_the_critics_are_held_as_in_their_papers():
    models = {name: design((8, 8, 1), (4, 6)) for name, design in DESIGNS.items()}
    assert {name: model.loss_name for name, model in models.items()} == {
        "dcgan": "non_saturating",
        "sngan": "hinge",
        "wgan_gp": "wasserstein",
        "r3gan": "relativistic",
    }
    held = {name: [(p.name, p.weight) for p in model.penalties] for name, model in models.items()}
    assert held == {
        "dcgan": [],
        "sngan": [],
        "wgan_gp": [("gradient_penalty", 10.0)],
        "r3gan": [("r1", 1.0), ("r2", 1.0)],
    }
    assert [model.discriminator_steps for model in models.values()] == [1, 5, 5, 1]
    kinds = {name: {type(layer).__name__ for layer in model.discriminator.layers} for name, model in models.items()}
    assert "BatchNormalization" in kinds["dcgan"] and "SpectralConv2D" in kinds["sngan"]
    assert "BatchNormalization" not in kinds["sngan"] | kinds["wgan_gp"] | kinds["r3gan"]
