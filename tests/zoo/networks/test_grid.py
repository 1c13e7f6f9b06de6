"""The networks between images and grids of features."""

import keras
import numpy as np
import pytest

from zoo.networks import grid_decoder, grid_encoder


@pytest.mark.parametrize(
    "image_shape, filters, grid",
    [
        ((28, 28, 1), (8, 8), (7, 7, 5)),
        ((28, 20, 1), (8, 8), (7, 5, 5)),
        ((32, 32, 3), (8, 8), (8, 8, 5)),
        ((9, 5, 2), (4,), (5, 3, 5)),
        ((9, 5, 2), (4, 4, 4), (2, 1, 5)),
    ],
)
def test_grids_and_images_have_the_stated_shapes(image_shape, filters, grid):
    encoder = grid_encoder(image_shape, filters, channels=5, blocks=1)
    assert encoder.output_shape == (None, *grid)
    decoder = grid_decoder(grid, (*image_shape[:2], 7), filters[::-1], blocks=1)
    images = np.random.default_rng(0).random((2, *image_shape), np.float32)
    assert decoder(encoder(images)).shape == (2, *image_shape[:2], 7)


def test_blocks_add_to_what_there_is():
    """With their last convolutions at zero, the blocks change nothing."""
    keras.utils.set_random_seed(0)
    plain, deep = (grid_encoder((8, 8, 1), (4,), 3, blocks) for blocks in (0, 2))
    first, *blocks, last = [layer for layer in deep.layers if layer.weights]
    for layer, source in zip((first, last), [layer for layer in plain.layers if layer.weights], strict=True):
        layer.set_weights(source.get_weights())
    images = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    assert not np.allclose(deep(images), plain(images), atol=1e-3)
    for layer in blocks[1::2]:
        layer.set_weights([0 * weight for weight in layer.get_weights()])
    np.testing.assert_allclose(deep(images), plain(images), atol=1e-6)
    assert not any("batch" in layer.name for layer in deep.layers)
