"""What chains are worth: how many independent draws they amount to, and whether they agree with one another."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import mcmc

from zoo.ebm.chains import Chains
from zoo.errors import ZooError
from zoo.files import write_atomically

_TRACES = 4  # that a plot draws


class Diagnosis(NamedTuple):
    """What chains are worth.

    effective_sample_size: The independent draws that all chains together amount to, for each number of a position.
    split_r_hat: The spread of half chains around one another over that within them, for each number of a position: 1
        where they agree, and a reason for doubt from 1.01 on (Vehtari et al. 2021).
    energy_r_hat: The same of the energies.
    acceptance: The mean probability of a step to be accepted, or None where a sampler refuses none.
    calibrated: Whether the draws are of p in the long run; if not, the other figures do not say that they are.
    """

    effective_sample_size: np.ndarray
    split_r_hat: np.ndarray
    energy_r_hat: float
    acceptance: float | None
    calibrated: bool


def diagnose_chains(chains: Chains) -> Diagnosis:
    """Returns what chains are worth.

    The effective sample size is that of the mean, by the initial positive sequence (Geyer 1992), and counts variance
    between chains (Vehtari et al. 2021, equation 10); split R-hat is that of their equation 4.

    Args:
        chains: Of `run_chains`: at least two chains of at least eight draws.

    Raises:
        ZooError: There are fewer.
    """
    positions = np.asarray(chains.positions, np.float64)
    if positions.shape[0] < 8 or positions.shape[1] < 2:
        raise ZooError(
            f"there are {positions.shape[1]} chains of {positions.shape[0]} draws, expected at least two of eight: "
            "give `run_chains` more of them."
        )
    size = mcmc.effective_sample_size(tf.constant(positions), filter_beyond_positive_pairs=True, cross_chain_dims=1)
    acceptance = None if chains.acceptance is None else float(chains.acceptance.mean())
    energies = np.asarray(chains.energies, np.float64)
    return Diagnosis(
        np.asarray(size), split_r_hat(positions), float(split_r_hat(energies)), acceptance, chains.calibrated
    )


def split_r_hat(draws: np.ndarray) -> np.ndarray:
    """Returns the root of the variance over all half chains, over that within them (Vehtari et al. 2021, equation 4).

    Args:
        draws: [draws, chains, ...], at least 4 draws.

    Returns:
        float64 [...], NaN where no chain moves.
    """
    half = len(draws) // 2
    halves = np.concatenate([draws[:half], draws[-half:]], axis=1)
    within = halves.var(axis=0, ddof=1).mean(axis=0)
    between = halves.mean(axis=0).var(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt((half - 1) / half + between / within)


def plot_chains(chains: Chains, file: str | Path) -> None:
    """Draws the energies of some chains over their draws, and their autocorrelation, as a PNG.

    Args:
        chains: Of `run_chains`.
        file: Where to.

    Raises:
        ZooError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ZooError('plots need matplotlib: pip install "genzoo[plots]"') from None
    energies = np.asarray(chains.energies, np.float64)
    figure = Figure(figsize=(9, 3), layout="constrained")
    trace, lags = figure.subplots(1, 2)
    trace.plot(energies[:, :_TRACES], linewidth=0.7)
    trace.set(xlabel="draw", ylabel="energy [nats]", title=f"{min(_TRACES, energies.shape[1])} chains")
    lags.plot(_autocorrelation(energies))
    lags.axhline(0, color="0.6", linewidth=0.7)
    lags.set(xlabel="lag [draws]", title="autocorrelation of the energy", ylim=(-0.2, 1.05))
    write_atomically(Path(file), lambda temporary: figure.savefig(temporary, dpi=110, format="png"))


def _autocorrelation(energies: np.ndarray) -> np.ndarray:
    """Returns the autocorrelation over draws, the mean over chains, up to a fifth of the draws."""
    centred = energies - energies.mean()
    lags = range(max(2, len(energies) // 5))
    products = np.array([(centred[: len(centred) - lag] * centred[lag:]).mean() for lag in lags])
    return products / products[0]
