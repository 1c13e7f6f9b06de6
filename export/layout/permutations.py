"""Orders of the four axes of images."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

Order = tuple[int, ...]

RANK = 4
_LIKELY_SIZE = 16  # of an axis of unknown size
SAME, CHANNELS_FIRST, CHANNELS_LAST = (0, 1, 2, 3), (0, 3, 1, 2), (0, 2, 3, 1)


def permutation(node: Any) -> Order:
    """Returns that of a Transpose."""
    given = node.get_attr("perm")
    return tuple(given.ints) if given else tuple(reversed(SAME))


def then(first: Order, second: Order) -> Order:
    """Returns the permutation that does what two do after each other."""
    return tuple(first[axis] for axis in second)


def inverse(order: Order) -> Order:
    """Returns the permutation that takes one back."""
    return tuple(order.index(axis) for axis in range(RANK))


def transposes(permutations: Iterable[Order]) -> int:
    """Returns how many permutations move anything."""
    return sum(each != SAME for each in permutations)


def same_numbers(shape: list[int], order: Order) -> bool:
    """Returns whether only axes of size 1 move, so that the numbers stay in their places."""
    moved = [axis for axis in order if shape[axis] != 1]
    return moved == sorted(moved)


def numbers_of(shape: list[int]) -> int:
    """Returns how many numbers an image has, or about how many."""
    return math.prod(_LIKELY_SIZE if size < 0 else size for size in shape[1:])


def places_of(shape: list[int], order: Order) -> np.ndarray | None:
    """Returns where the numbers of an image of a known size come from, in another order, or None."""
    if -1 in shape[1:] or order[0] != 0:
        return None
    return np.arange(numbers_of(shape)).reshape(shape[1:]).transpose([axis - 1 for axis in order[1:]]).ravel()
