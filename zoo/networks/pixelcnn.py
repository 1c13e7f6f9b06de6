"""An autoregressive network over grids of codes: PixelCNN with two stacks (van den Oord et al. 2016).

    log p(codes) = sum_i log p(code_i | codes before i),    i from left to right, row by row

One stack of convolutions sees the rows above a place, the other its own row to the left and, at every block, the
first stack; together they see all that comes before, without the blind spot of a single masked stack (their
section 2.2). Nothing needs a mask: what each stack starts from is shifted by one place, and kernels reach up and
left only, as in the code of Salimans et al. (2017).
"""

from collections.abc import Sequence

import keras

from zoo.errors import ZooError
from zoo.validation import check_activation, check_count, check_sizes


def pixelcnn(
    grid_shape: Sequence[int],
    codes: int,
    filters: int = 64,
    blocks: int = 4,
    kernel: int = 5,
    activation: str = "elu",
    name: str = "prior",
) -> keras.Model:
    """Returns a network from codes int32 [batch, rows, columns] to logits float32 [batch, rows, columns, codes].

    The logits at a place depend on the codes before it alone. Each block reaches `kernel // 2` places further up
    and to the sides: with the defaults a place sees the nine rows above and, in its own, nine places to the left.

    Args:
        grid_shape: Rows and columns.
        codes: The number of different codes, at least 1.
        filters: Channels of both stacks.
        blocks: Residual blocks, at least 1.
        kernel: The width that convolutions reach over, odd, at least 3.
        activation: A Keras activation.
        name: Of the model.

    Raises:
        ZooError: A size is no integer above 0, `kernel` is even, `blocks` is 0, or Keras has no such activation.
    """
    if blocks < 1 or kernel < 3 or kernel % 2 == 0:
        raise ZooError(f"a pixelcnn needs blocks of at least 1 and an odd kernel of at least 3: {blocks=}, {kernel=}.")
    check_activation(activation)
    rows, columns = check_sizes(grid_shape, "grid_shape", 2)
    codes, filters = check_count(codes, "codes"), check_count(filters, "filters")
    grid = keras.Input((rows, columns), dtype="int32", name="code")
    embedded = keras.layers.Embedding(codes, filters)(grid)
    above, before = _shifted(embedded, rows=1), _shifted(embedded, columns=1)
    for _ in range(blocks):
        above, before = _block(above, before, filters, kernel // 2, activation)
    features = keras.layers.Conv2D(filters, 1, activation=activation)(keras.layers.Activation(activation)(before))
    # Float32 whatever the policy: log-probabilities are made of these.
    logits = keras.layers.Conv2D(codes, 1, dtype="float32")(features)
    return keras.Model(grid, logits, name=name)


def _block(above: keras.KerasTensor, before: keras.KerasTensor, filters: int, reach: int, activation: str) -> tuple:
    """Adds to both stacks what they see a little further away."""
    layers = keras.layers
    seen = layers.ZeroPadding2D(((reach, 0), (reach, reach)))(layers.Activation(activation)(above))
    above = layers.Add()([above, layers.Conv2D(filters, (reach + 1, 2 * reach + 1))(seen)])
    seen = layers.ZeroPadding2D(((0, 0), (reach, 0)))(layers.Activation(activation)(before))
    both = layers.Add()([layers.Conv2D(filters, (1, reach + 1))(seen), layers.Conv2D(filters, 1)(above)])
    before = layers.Add()([before, layers.Conv2D(filters, 1)(layers.Activation(activation)(both))])
    return above, before


def _shifted(features: keras.KerasTensor, rows: int = 0, columns: int = 0) -> keras.KerasTensor:
    """Moves features down and to the right; zeros come in, and the last row or column goes."""
    padded = keras.layers.ZeroPadding2D(((rows, 0), (columns, 0)))(features)
    return keras.layers.Cropping2D(((0, rows), (0, columns)))(padded)
