"""What each place of the PixelCNN sees: all that comes before it in reach, and nothing else."""

import keras
import numpy as np
import pytest

import zoo
from zoo.networks import pixelcnn

CODES = 3


def dependencies(network: keras.Model) -> np.ndarray:
    """Returns which logits change with which code, by trying: bool [changed place, place of the logits]."""
    rows, columns = network.input_shape[1:]
    places = rows * columns
    generator = np.random.default_rng(0)
    seen = np.zeros((places, places), bool)
    for _ in range(8):  # a change may cancel out, but hardly eight times
        base = generator.integers(0, CODES, places)
        grids = np.tile(base, (places + 1, 1))
        grids[range(places), range(places)] = (base + generator.integers(1, CODES, places)) % CODES
        logits = network.predict(grids.reshape(-1, rows, columns), verbose=0, batch_size=256).reshape(
            places + 1, places, -1
        )
        seen |= np.abs(logits[:-1] - logits[-1]).max(axis=-1) > 1e-5
    return seen


def made(shape, blocks, kernel) -> keras.Model:
    keras.utils.set_random_seed(0)
    network = pixelcnn(shape, CODES, filters=16, blocks=blocks, kernel=kernel)
    network.set_weights([2 * weight for weight in network.get_weights()])  # so that far places are heard
    return network


@pytest.mark.parametrize("shape", [(4, 5), (6, 3), (1, 7), (7, 1), (1, 1)])
def test_logits_depend_on_all_codes_before_and_on_no_other(shape):
    places = shape[0] * shape[1]
    seen = dependencies(made(shape, 4, 5))
    np.testing.assert_array_equal(seen, np.triu(np.ones((places, places), bool), 1))


def test_the_receptive_field_is_the_stated_one():
    shape, blocks, reach = (9, 9), 2, 1
    seen = dependencies(made(shape, blocks, 2 * reach + 1)).reshape(*shape, *shape)
    rows, columns = np.indices(shape)
    row, column = 6, 4
    up, left = row - rows, column - columns
    above = (up >= 1) & (up <= 1 + blocks * reach) & (abs(left) <= blocks * reach)
    before = (up == 0) & (left >= 1) & (left <= 1 + blocks * reach)
    np.testing.assert_array_equal(seen[:, :, row, column], above | before)


def test_logits_are_float32_whatever_the_policy():
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        network = pixelcnn((3, 2), CODES, filters=4, blocks=1)
    finally:
        keras.config.set_dtype_policy(before)
    logits = network(np.zeros((2, 3, 2), np.int32))
    assert logits.dtype == "float32"
    assert logits.shape == (2, 3, 2, CODES)


def test_bad_arguments_are_refused():
    for arguments in ({"blocks": 0}, {"kernel": 4}, {"kernel": 1}):
        with pytest.raises(zoo.ZooError, match="odd kernel"):
            pixelcnn((3, 3), CODES, **arguments)
