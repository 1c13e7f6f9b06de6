"""What decoders for any height and width begin and end with: a small grid, and a cut to size."""

from collections.abc import Sequence
from typing import Any

import keras

from zoo.errors import ZooError


def grid_of(features: Any, size: Sequence[int], doublings: int, channels: int, **options: Any) -> Any:
    """Makes a symbolic [batch, rows, columns, channels] of features [batch, n], by a dense layer.

    Args:
        features: Symbolic.
        size: Height and width that so many doublings of rows and columns are to reach or pass.
        doublings: How many.
        channels: Of the grid.
        **options: Of the dense layer.
    """
    rows, columns = (-(-side // 2**doublings) for side in size)
    features = keras.layers.Dense(rows * columns * channels, **options)(features)
    return keras.layers.Reshape((rows, columns, channels))(features)


def crop_to(features: Any, height: int, width: int) -> Any:
    """Cuts a symbolic [batch, height, width, channels] tensor to a size, evenly at both sides.

    Raises:
        ZooError: It is smaller than that already.
    """
    rows, columns = features.shape[1] - height, features.shape[2] - width
    if rows < 0 or columns < 0:
        raise ZooError(
            f"the decoder's layers give {features.shape[1]}x{features.shape[2]}, less than the {height}x{width} asked "
            "for. Each of its filters doubles the size: give it more of them, or larger features."
        )
    if not rows and not columns:
        return features
    cut = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2))
    return keras.layers.Cropping2D(cut, dtype=features.dtype)(features)
