"""Sizes that no network can have are refused by all of them."""

import pytest

import zoo
from zoo import networks

SHAPE = (8, 8, 1)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: networks.conv_encoder(SHAPE, ()), "filters is"),
        (lambda: networks.conv_encoder((8, 8)), r"image_shape is \(8, 8\), expected 3 integers above 0"),
        (lambda: networks.conv_encoder(SHAPE, (4,), -8), "hidden is -8"),
        (lambda: networks.conv_decoder(0, SHAPE), "latent_size is 0"),
        (lambda: networks.conv_decoder(3, SHAPE, ()), "filters is"),
        (lambda: networks.mlp_encoder(SHAPE, ()), "hidden is"),
        (lambda: networks.mlp_decoder("a", SHAPE), "latent_size is 'a'"),
        (lambda: networks.grid_encoder(SHAPE, (4.5,)), "filters is"),
        (lambda: networks.grid_decoder((1, 1, 4), SHAPE, (4,)), "give 2x2, less than the 8x8 asked for"),
        (lambda: networks.residual_encoder(SHAPE, ()), "filters is"),
        (lambda: networks.residual_decoder((2, 2, 4), SHAPE, (4,)), "give 4x4, less than the 8x8 asked for"),
        (lambda: networks.residual_decoder((4, 4), SHAPE), "features_shape is"),
        (lambda: networks.pixelcnn((4,), 8), "grid_shape is"),
        (lambda: networks.pixelcnn((4, 4), 0), "codes is 0"),
        (lambda: networks.dcgan_generator(SHAPE, 3, ()), "filters is"),
        (lambda: networks.dcgan_discriminator((8, 8)), "image_shape is"),
        (lambda: networks.conv_classifier(SHAPE, (0,)), "filters is"),
    ],
)
def test_impossible_sizes_are_refused(make, message):
    with pytest.raises(zoo.ZooError, match=message):
        make()
