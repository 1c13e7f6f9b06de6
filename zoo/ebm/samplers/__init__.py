"""Samplers of any energy function."""

from zoo.backend import check_environment

check_environment()  # before anything here imports Keras

from zoo.ebm.samplers.annealed import AnnealedLangevin  # noqa: E402
from zoo.ebm.samplers.base import Sampler, State  # noqa: E402
from zoo.ebm.samplers.descent import GradientDescent, Nesterov  # noqa: E402
from zoo.ebm.samplers.langevin import UnadjustedLangevin  # noqa: E402
from zoo.ebm.samplers.metropolis import HamiltonianMonteCarlo, MetropolisAdjustedLangevin, NoUTurn  # noqa: E402
from zoo.ebm.samplers.schedules import Geometric  # noqa: E402

__all__ = [
    "AnnealedLangevin",
    "Geometric",
    "GradientDescent",
    "HamiltonianMonteCarlo",
    "MetropolisAdjustedLangevin",
    "Nesterov",
    "NoUTurn",
    "Sampler",
    "State",
    "UnadjustedLangevin",
]
