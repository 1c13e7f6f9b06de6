"""Contrastive divergence: energies of data go down, and those of where chains of the model lead go up.

    loss = E(x) - E(y) + regularization (E(x)^2 + E(y)^2)        y from a few steps of the sampler (Hinton 2002)

Its gradient is that of the log-likelihood where y is drawn from the model. The second term keeps energies near 0, which
are free up to a constant (Du and Mordatch 2019, section 3.2).

    kl = Esg(y) - log min |y - y'|        y moves with the weights, Esg does not; y' are other chains

is what contrastive divergence leaves out: that the chains themselves depend on the energy (Du et al. 2021, equations 5
to 8). It is taken through the last step of the chain.
"""

from typing import Any

import keras
import tensorflow as tf

from zoo import random
from zoo.callbacks import stopped_unless
from zoo.ebm.energies import energy_and_gradient
from zoo.ebm.objectives.base import Objective, Trained
from zoo.ebm.objectives.replay_buffer import ReplayBuffer
from zoo.ebm.samplers.schedules import at
from zoo.errors import ZooError
from zoo.random import Seed
from zoo.validation import check_count, check_positive, check_share

_NOISE, _BUFFER, _CHAIN = range(3)  # purposes of noise


@keras.saving.register_keras_serializable(package="zoo")
class ContrastiveDivergence(Objective):
    """Chains start at the data (CD-k).

    Args:
        steps: k, of the sampler.
        regularization: Of the squares of energies.
        data_noise: Standard deviation of the Normal noise that is added to data, in units of pixels; it keeps the
            energy from growing infinitely steep around them.
        kl_weight: Of the term above, or 0 to leave it out.
        energy_limit: Training stops where an energy is larger than this in absolute value, in nats: it has run away.

    Raises:
        ZooError: A number is out of its range.
    """

    names = ("data_energy", "sample_energy", "moved")
    has_chains = True

    def __init__(
        self,
        steps: int = 20,
        regularization: float = 0.01,
        data_noise: float = 0.0,
        kl_weight: float = 0.0,
        energy_limit: float = 1e4,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.steps = check_count(steps, "steps")
        self.regularization = check_positive(regularization, "regularization", or_zero=True)
        self.data_noise = check_positive(data_noise, "data_noise", or_zero=True)
        self.kl_weight = check_positive(kl_weight, "kl_weight", or_zero=True)
        self.energy_limit = check_positive(energy_limit, "energy_limit")

    def values(self, model: Trained, images: tf.Tensor, seed: Seed, training: bool) -> dict[str, tf.Tensor]:
        """Returns the loss, the energies of data and of samples, and how far chains went, by the root mean square."""
        noise = self.data_noise * random.normal(tf.shape(images), random.fold_in(seed, _NOISE))
        data = model.sampler.bounded(images + noise)  # where no chain may go there is nothing to tell apart
        start, keep = self._starts(images, random.fold_in(seed, _BUFFER), training)
        samples = tf.stop_gradient(model.chain(start, self.steps, random.fold_in(seed, _CHAIN)))
        keep(samples)
        real, fake = model.energy_of(data, training), model.energy_of(samples, training)
        loss = real - fake + self.regularization * (tf.square(real) + tf.square(fake))
        if self.kl_weight:
            loss += self.kl_weight * _chain_loss(model, samples, self.steps - 1)
        largest = tf.reduce_max(tf.abs(tf.concat([real, fake], axis=0)))
        loss = stopped_unless(largest <= self.energy_limit, loss)
        moved = tf.sqrt(tf.reduce_mean(tf.square(samples - start), axis=list(range(1, len(images.shape)))))
        return {"loss": loss, "data_energy": real, "sample_energy": fake, "moved": moved}

    def _starts(self, images: tf.Tensor, seed: Seed, training: bool) -> tuple[tf.Tensor, Any]:
        """Returns where chains start, and what to do with where they end."""
        return images, lambda _: None

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        names = ("steps", "regularization", "data_noise", "kl_weight", "energy_limit")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="zoo")
class PersistentContrastiveDivergence(ContrastiveDivergence):
    """Chains go on from where earlier ones ended (Tieleman 2008), in a replay buffer.

    Args:
        steps: k, of the sampler.
        buffer_size: Chains that are kept.
        reinit_rate: The share of chains, in [0, 1], that start anew.
        reinit_from_data: The share of those, in [0, 1], that start at data, so that the energy also learns where long
            chains from data lead; the others start at noise.
        regularization, data_noise, kl_weight, energy_limit: As in `ContrastiveDivergence`.

    Raises:
        ZooError: A number is out of its range.
    """

    def __init__(
        self,
        steps: int = 40,
        buffer_size: int = 10_000,
        reinit_rate: float = 0.05,
        reinit_from_data: float = 0.0,
        **options: Any,
    ):
        super().__init__(steps, **options)
        self.buffer_size = check_count(buffer_size, "buffer_size")
        self.reinit_rate = check_share(reinit_rate, "reinit_rate")
        self.reinit_from_data = check_share(reinit_from_data, "reinit_from_data")
        self.buffer = ReplayBuffer(self.buffer_size, self.reinit_rate, self.reinit_from_data, name="buffer")

    def prepare(self, image_shape: tuple[int, int, int]) -> None:
        """Makes the buffer."""
        self.buffer.prepare(image_shape)

    def _starts(self, images: tf.Tensor, seed: Seed, training: bool) -> tuple[tf.Tensor, Any]:
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ZooError(
                "the replay buffer is one for all chains, and replicas would each change it: train on one device, or "
                "with ContrastiveDivergence."
            )
        places, start = self.buffer.draw(images, seed)
        return start, (lambda samples: self.buffer.put(places, samples)) if training else (lambda _: None)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        names = ("buffer_size", "reinit_rate", "reinit_from_data")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _chain_loss(model: Trained, samples: tf.Tensor, index: int) -> tf.Tensor:
    """Returns the term that makes chains lead to low energies, and apart from one another, [batch]."""
    _, gradient = energy_and_gradient(model.energy_of, samples)
    # One more step of descent, whose end depends on the weights by the gradient; E at that end is linear in it, and its
    # own weights do not count: dE(y') = grad E(y) . dy'.
    sampler: Any = model.sampler
    clip, slope = getattr(sampler, "gradient_clip", None), gradient
    if clip is not None:
        slope = tf.clip_by_value(slope, -clip, clip)
    ends = sampler.bounded(samples - at(sampler.step_size, index, samples.dtype) * slope)
    axes = list(range(1, len(samples.shape)))
    lower = tf.reduce_sum(tf.stop_gradient(gradient) * ends, axis=axes)
    flat = tf.reshape(ends, [tf.shape(ends)[0], -1])
    others = tf.stop_gradient(tf.reshape(samples, [tf.shape(samples)[0], -1]))
    distances = tf.reduce_sum(tf.square(flat[:, None] - others[None]), axis=-1)
    own = tf.eye(tf.shape(flat)[0], dtype=flat.dtype) * tf.reduce_max(tf.stop_gradient(distances))
    nearest = tf.reduce_min(distances + own, axis=1)
    apart = tf.where(tf.shape(flat)[0] > 1, 0.5 * tf.math.log(nearest + 1e-6), 0.0)  # one alone has no neighbour
    return lower - apart
