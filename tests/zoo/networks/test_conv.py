"""Convolutional networks for any height, width and number of channels."""

import numpy as np
import pytest

from zoo.networks import conv_decoder, conv_encoder


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 20, 1), (32, 32, 3), (7, 9, 3), (8, 8, 1)])
def test_decoder_gives_the_shape_that_the_encoder_takes(shape):
    encoder, decoder = conv_encoder(shape, (4, 8), 16), conv_decoder(5, shape, (8, 4), 16)
    assert encoder(np.zeros((2, *shape), np.float32)).shape == (2, 16)
    assert decoder(np.zeros((2, 5), np.float32)).shape == (2, *shape)
