"""The beta-VAE (Higgins et al. 2017), with a capacity that rises (Burgess et al. 2018)."""

from typing import Any

import keras
import tensorflow as tf

from zoo.errors import ZooError
from zoo.vae.likelihoods import Likelihood
from zoo.vae.posteriors import Posterior
from zoo.vae.priors import Prior
from zoo.vae.vae import VAE
from zoo.validation import check_count, check_positive


@keras.saving.register_keras_serializable(package="zoo")
class BetaVAE(VAE):
    """A VAE whose KL term has another weight.

        loss = -E_q[log p(x|z)] + beta KL                 (Higgins et al., equation 4)
        loss = -E_q[log p(x|z)] + beta |KL - C|           (Burgess et al., equation 8), C from 0 to `capacity`,
                                                           KL the mean over the batch (of a replica)

    The loss is a bound on the likelihood at beta = 1 without a capacity only; "elbo" is reported beside it.

    Args:
        encoder, decoder, posterior, prior, likelihood: As in `VAE`.
        beta: The weight of the KL, above 0; gamma of Burgess et al. where there is a capacity.
        capacity: The KL to aim at in the end, in nats, or None for the plain beta-VAE.
        capacity_steps: Batches over which C rises to `capacity`.
        kl_warm_up, free_bits, seed: As in `VAE`; neither of the first two beside a capacity.

    Raises:
        ZooError: An option is out of its range, or a capacity is given beside a warm-up or free bits.
    """

    collapse_remedies = "kl_warm_up (steps), free_bits (nats), a smaller beta, or a weaker decoder"

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        posterior: str | Posterior = "diagonal_normal",
        prior: str | Prior = "standard_normal",
        likelihood: str | Likelihood = "bernoulli",
        beta: float = 4.0,
        capacity: float | None = None,
        capacity_steps: int = 100_000,
        kl_warm_up: int = 0,
        free_bits: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(encoder, decoder, posterior, prior, likelihood, kl_warm_up, free_bits, seed, **kwargs)
        self.beta = check_positive(beta, "beta")
        self.capacity = None if capacity is None else check_positive(capacity, "capacity")
        self.capacity_steps = check_count(capacity_steps, "capacity_steps")
        if self.capacity is not None:
            self._count_batches()
        if capacity is not None and free_bits:
            raise ZooError("a capacity and free_bits both say how large the KL is to be: give one of them.")
        if capacity is not None and kl_warm_up:
            raise ZooError("a capacity rises from 0 by itself, over capacity_steps batches: leave kl_warm_up out.")

    def kl_penalty(self, kl: tf.Tensor, training: bool) -> tf.Tensor:
        """Returns beta times the KL, or times the distance of its mean from the capacity, [batch]."""
        if self.capacity is None:
            return self.beta * super().kl_penalty(kl, training)
        share = self._share_of(self.capacity_steps)
        total = tf.reduce_sum(kl, axis=-1)
        # The mean first: of estimates from one draw, each alone is further from the capacity than their mean.
        return self.beta * tf.abs(tf.reduce_mean(total) - share * self.capacity) + tf.zeros_like(total)

    @property
    def averages_over(self) -> str | None:
        """The capacity or free bits, where there are any."""
        return "the capacity" if self.capacity is not None else super().averages_over

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        options = {"beta": self.beta, "capacity": self.capacity, "capacity_steps": self.capacity_steps}
        return {**super().get_config(), **options}
