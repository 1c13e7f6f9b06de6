"""The joint energy model: a classifier whose logits are energies of images and labels (Grathwohl et al. 2020).

    E(x, y) = -f(x)[y]                  f: the logits
    E(x)    = -logsumexp_y f(x)[y]
    p(y|x)  = softmax f(x)              which no constant is missing of
    loss    = -log p(y|x) + w (loss of an objective for E(x))

(there, equations 3 to 6). It classifies, draws images of a class, and tells what is unlike all of them.

Shapes: as in `zoo.ebm.ebm`; labels are int64 [batch].
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from zoo.ebm.ebm import EBM
from zoo.ebm.energies import Energy
from zoo.ebm.objectives import Objective
from zoo.ebm.samplers.base import Sampler
from zoo.errors import ZooError
from zoo.networks.inputs import check_gives_logits
from zoo.random import Seed
from zoo.signature import NamedTensor, Signature, image_tensor
from zoo.validation import check_positive


@keras.saving.register_keras_serializable(package="zoo")
class JointEnergyModel(EBM):
    """A classifier that generates.

    Args:
        classifier: Maps images [batch, height, width, channels] to logits [batch, num_classes]. Smooth activations
            inside, and no batch statistics, since chains follow its gradient.
        objective: As in `EBM`, for E(x).
        sampler: As in `EBM`.
        sample_steps: How many steps `sample` takes where it is not told.
        energy_weight: w.
        seed: Seed of the noise in training, or None for one drawn from Keras's global seed.

    Raises:
        ZooError: The network gives no logits, or an argument is not as described.

    Example:
        >>> model = zoo.JointEnergyModel(networks.conv_energy((28, 28, 1), outputs=10))
        >>> model.compile(keras.optimizers.Adam(1e-4))
        >>> model.fit(images, labels, epochs=20)
        >>> model.classify(images)
        >>> model.sample(64, seed=0, label=3)
    """

    objective_names = ("loss", "cross_entropy", "accuracy")
    network_argument = "classifier"

    def __init__(
        self,
        classifier: keras.Model,
        objective: str | Objective = "persistent_contrastive_divergence",
        sampler: Sampler | None = None,
        sample_steps: int = 200,
        energy_weight: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(classifier, objective, sampler, sample_steps, seed, **kwargs)
        self.energy_weight = check_positive(energy_weight, "energy_weight", or_zero=True)

    def _check_output(self, given: tuple[int | None, ...]) -> None:
        if len(given) != 1 or not given[0] or given[0] < 2:
            raise ZooError(f"the classifier gives {[None, *given]}, expected logits [batch, num_classes].")
        check_gives_logits(self.network, "classifier")
        self.num_classes = given[0]

    # The distribution.

    def logits_of(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns logits float32 [batch, num_classes] of images [batch, height, width, channels]."""
        values: Any = self.network(images, training=training)
        return tf.cast(values, tf.float32)

    def energy_of(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns E(x), float32 [batch], in nats."""
        return -tf.reduce_logsumexp(self.logits_of(images, training), axis=-1)

    def energy_of_class(self, labels: tf.Tensor) -> Energy:
        """Returns E(x, y) as a function of images, for labels int64 [batch]."""
        chosen = tf.one_hot(labels, self.num_classes)
        return lambda images: -tf.reduce_sum(self.logits_of(images) * chosen, axis=-1)

    def call(self, images: Any, training: bool = False) -> tf.Tensor:
        """Returns logits [batch, num_classes]."""
        return self.logits_of(images, training)

    # Training.

    def objective(
        self, images: tf.Tensor, seed: Seed, training: bool, labels: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the loss and its terms, each [batch].

        Raises:
            ZooError: There are no labels.
        """
        if labels is None:
            raise ZooError("a JointEnergyModel needs labels, integers [batch].")
        # Without weight the objective and its chains are left out, which is plain training of a classifier.
        weight = self.energy_weight
        values = self.objective_layer.values(self, images, seed, training) if weight else {}
        logits = self.logits_of(images, training)
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        accuracy = tf.cast(tf.equal(tf.argmax(logits, axis=-1), labels), tf.float32)
        loss = cross_entropy + weight * values["loss"] if weight else cross_entropy
        return {**values, "loss": loss, "cross_entropy": cross_entropy, "accuracy": accuracy}

    # The verbs.

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Returns p(y|x), the probability of each class, float32 [batch, num_classes], of images in [0, 1].

        Raises:
            ZooError: The images are not as in `fit`.
        """
        return self.run_in_batches("classify", image=self._checked_images(images, "images"))["probability"]

    # Export and serialization.

    def signatures(self) -> dict[str, Signature]:
        """Returns `classify`, and those of an `EBM`."""
        image = image_tensor("image", self.image_shape)
        known = NamedTensor("probability", ("batch", self.num_classes or 0), description="of each class")
        first = Signature("classify", self._classify, (image,), (known,), description="What class an image is of.")
        return {"classify": first, **super().signatures()}

    def _classify(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probability": tf.nn.softmax(self.logits_of(image))}

    def get_config(self) -> dict:
        """Returns the arguments of the constructor, serialized."""
        return {**super().get_config(), "energy_weight": self.energy_weight}
