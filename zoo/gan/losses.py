"""The losses of the game, in pairs: what the discriminator minimizes, and what the generator does.

Each is a pure function of logits [batch], D of real and of generated images, and returns [batch], in nats where the
logits are log-odds. In all of them a large logit says "real".

    minimax          the value of the game itself (Goodfellow et al. 2014, equation 1)
    non_saturating   the same discriminator; the generator maximizes log D instead (their section 3)
    least_squares    (Mao et al. 2017, equation 9, with targets 0 and 1)
    hinge            (Lim and Ye 2017; Miyato et al. 2018, equations 16 and 17)
    wasserstein      (Arjovsky et al. 2017, equation 2)
    relativistic     each real image against one generated (Jolicoeur-Martineau 2019; Huang et al. 2024, equation 2)
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class AdversarialLoss(NamedTuple):
    """One pair.

    generator: Maps logits of real and of generated images to what the generator minimizes.
    discriminator: The same for the discriminator.
    compares: Whether the generator's loss reads the logits of real images too.
    smoothable: Whether the discriminator's loss of a real image is that of a target, which can be other than 1.
    boundary: The logit above which the discriminator takes an image for a real one, or None where only differences
        between logits have a meaning.
    """

    generator: Loss
    discriminator: Loss
    compares: bool = False
    smoothable: bool = False
    boundary: float | None = 0.0


def minimax_generator(_: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns log(1 - D)."""
    return -tf.math.softplus(fake_logits)


def non_saturating_generator(_: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -log D."""
    return tf.math.softplus(-fake_logits)


def logistic_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -log D(real) - log(1 - D(fake))."""
    return tf.math.softplus(-real_logits) + tf.math.softplus(fake_logits)


def least_squares_generator(_: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns half the squared distance to 1."""
    return 0.5 * tf.square(fake_logits - 1)


def least_squares_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns half the squared distances to 1 and 0."""
    return 0.5 * (tf.square(real_logits - 1) + tf.square(fake_logits))


def hinge_generator(_: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -D."""
    return -fake_logits


def hinge_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns what real logits lack to 1, and fake ones exceed -1 by."""
    return tf.nn.relu(1 - real_logits) + tf.nn.relu(1 + fake_logits)


def wasserstein_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns minus the estimated distance, for a critic that is 1-Lipschitz."""
    return fake_logits - real_logits


def relativistic_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -log of the probability that the generated image is the more real one."""
    return tf.math.softplus(real_logits - fake_logits)


def relativistic_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -log of the probability that the real image is the more real one."""
    return tf.math.softplus(fake_logits - real_logits)


LOSSES = {
    "minimax": AdversarialLoss(minimax_generator, logistic_discriminator, smoothable=True),
    "non_saturating": AdversarialLoss(non_saturating_generator, logistic_discriminator, smoothable=True),
    "least_squares": AdversarialLoss(
        least_squares_generator, least_squares_discriminator, smoothable=True, boundary=0.5
    ),
    "hinge": AdversarialLoss(hinge_generator, hinge_discriminator),
    "wasserstein": AdversarialLoss(hinge_generator, wasserstein_discriminator, boundary=None),
    "relativistic": AdversarialLoss(relativistic_generator, relativistic_discriminator, compares=True, boundary=None),
}


def smoothed(discriminator: Loss, smoothing: float) -> Loss:
    """Returns a discriminator's loss with the target 1 - smoothing for real images (Salimans et al. 2016, section 3.4).

    With s the smoothing, (1 - s) softplus(-l) + s softplus(l) = softplus(-l) + s l, and for squares
    (l - 1 + s)^2 / 2 = (l - 1)^2 / 2 + s l, but for a constant: in both, smoothing adds s times the logit.
    """
    return lambda real_logits, fake_logits: discriminator(real_logits, fake_logits) + smoothing * real_logits
