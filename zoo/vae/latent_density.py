"""Fitting a density to codes that are given, after the autoencoder that made them (Ghosh et al. 2020, section 4)."""

import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo import random
from zoo.callbacks import DIVERGED, StopOnNonFiniteLoss
from zoo.errors import ZooError
from zoo.vae.priors import GaussianMixture, Prior


def fit_density(
    density: Prior, codes: np.ndarray, seed: int, epochs: int, batch_size: int, learning_rate: float, verbose: Any
) -> None:
    """Fits a density to codes: a Gaussian mixture by expectation maximization, any other by gradients.

    Args:
        density: The layer, built. A mixture forgets its weights, another goes on from those that it has.
        codes: float32 [n, latent_size], of about zero mean and unit variance.
        seed: Decides where a mixture starts, and the order of the codes in gradient steps.
        epochs: Iterations at most, or passes over the codes.
        batch_size: Codes a gradient step.
        learning_rate: Of Adam.
        verbose: As in `keras.Model.fit`.

    Raises:
        ZooError: There are fewer codes than components, or the loss is no longer finite.
    """
    if isinstance(density, GaussianMixture):
        _fit_mixture(density, codes, seed, epochs)
    elif density.weights:
        _fit_by_gradients(density, codes, seed, epochs, batch_size, learning_rate, verbose)


def _fit_mixture(density: GaussianMixture, codes: np.ndarray, seed: int, epochs: int) -> None:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture as Estimator

    if len(codes) < max(density.components, 2):
        raise ZooError(
            f"a mixture of {density.components} Normals cannot be fitted to {len(codes)} images. Pass more, or a "
            "GaussianMixture with fewer components as density."
        )
    kind = {"diagonal": "diag", "full": "full"}[density.covariance]
    estimator = Estimator(density.components, covariance_type=kind, max_iter=epochs, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ours says what to do here
        estimator.fit(codes.astype(np.float64))
    if not estimator.converged_:
        warnings.warn(
            f"the mixture of {density.components} Normals has not converged after {epochs} iterations; it is used as "
            "it is. Raise epochs, or take fewer components.",
            stacklevel=4,
        )
    fitted = (estimator.weights_, estimator.means_, estimator.covariances_)
    density.assign(*map(np.asarray, fitted))


def _fit_by_gradients(
    density: Prior, codes: np.ndarray, seed: int, epochs: int, batch_size: int, learning_rate: float, verbose: Any
) -> None:
    density.trainable = True
    try:
        trainer = _Trainer(density)
        trainer.compile(keras.optimizers.Adam(learning_rate), loss=lambda _, given: given)
        for epoch in range(epochs):
            # Shuffled here: Keras would take an order that its global seed decides.
            order = np.argsort(random.bits([len(codes)], random.fold_in(seed, epoch)).numpy(), kind="stable")
            options = {"batch_size": batch_size, "shuffle": False, "verbose": verbose}
            trainer.fit(
                codes[order], np.zeros(len(codes)), callbacks=[StopOnNonFiniteLoss(lambda _: DIVERGED)], **options
            )
    finally:
        density.trainable = False


class _Trainer(keras.Model):
    """Maps codes to -log p(code), [batch]. A model of its own, so that no optimizer is saved with the density."""

    def __init__(self, density: Prior):
        super().__init__(name="latent_density", dtype="float32")
        self.density = density
        self.built = True

    def call(self, codes: tf.Tensor) -> tf.Tensor:
        return -self.density.distribution().log_prob(codes)
