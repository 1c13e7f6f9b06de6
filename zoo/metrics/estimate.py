"""A measured figure."""

from typing import NamedTuple


class Estimate(NamedTuple):
    """A figure and the standard error of it."""

    value: float
    standard_error: float
