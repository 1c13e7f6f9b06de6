"""The verbs of the models whose latents are vectors: VAEs and their kin, and autoencoders."""

from collections.abc import Callable
from typing import Any

import numpy as np

from zoo.errors import ZooError
from zoo.paths import along_dimensions, check_ends, spherical
from zoo.vae.assembled import AssembledModel
from zoo.validation import check_image, check_images, check_latents


class VectorLatents(AssembledModel):
    """A model with latents [batch, latent_size]. A family implements `location` and the signatures.

    Attributes:
        latent_size: The number of latent dimensions.
        path: Maps latents [batch, latent_size] to start from, as many to end at and a number of steps to points between
            them, [batch, steps, latent_size].
    """

    latent_size: int
    path: Callable[[np.ndarray, np.ndarray, int], np.ndarray] = staticmethod(spherical)

    def location(self, images: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Returns the latent that stands for each image, float32 [batch, latent_size].

        Raises:
            ZooError: The images or labels are not as described.
        """
        raise NotImplementedError

    def decode(self, latents: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Returns the mean images of latents [batch, latent_size], float32 in [0, 1].

        Raises:
            ZooError: The latents have another shape, or hold NaN; or the labels are not as described.
        """
        latents = check_latents(latents, self.latent_size)
        return self.run_in_batches("decode", latent=latents, **self._given_labels(labels, len(latents)))["image"]

    def reconstruct(self, images: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Returns what the model makes of images, through their locations: float32 in [0, 1].

        Raises:
            ZooError: The images or labels are not as described.
        """
        return self.run_in_batches("reconstruct", **self.checked_batch(images, labels))["reconstruction"]

    def interpolate(
        self, first: np.ndarray, second: np.ndarray, steps: int = 8, labels: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns images on the way from the first images to the second, along `path`.

        That is a great circle of the latent space, near which draws of a standard Normal lie, and for other priors a
        custom; in an `Autoencoder` it is a straight line.

        Args:
            first: Images [batch, height, width, channels] in [0, 1].
            second: As many images.
            steps: Images a path, with both ends, at least 2.
            labels: int [batch], for conditional models.

        Returns:
            float32 [batch, steps, height, width, channels]. The ends are reconstructions.

        Raises:
            ZooError: The images are not as described, or not as many.
        """
        steps = check_ends(first, second, steps)
        latents = self.path(self.location(first, labels), self.location(second, labels), steps)
        return self._decoded(latents, None if labels is None else np.repeat(labels, steps))

    def traverse(
        self,
        image: np.ndarray,
        dimensions: list[int] | None = None,
        extent: float = 3.0,
        steps: int = 7,
        label: int | None = None,
    ) -> np.ndarray:
        """Returns what becomes of one image as one latent at a time moves from -extent to extent.

        Args:
            image: One image [height, width, channels] in [0, 1].
            dimensions: The latents to move, by default all.
            extent: Where latents move to, above 0; 3 is three standard deviations of a standard Normal prior.
            steps: Images a latent, at least 2.
            label: The image's class, for conditional models.

        Returns:
            float32 [dimensions, steps, height, width, channels].

        Raises:
            ZooError: The image is not as described, or there is no such dimension.
        """
        if label is None and self.num_classes is not None:
            raise ZooError(f"{type(self).__name__} is conditional: pass label, the image's class.")
        labels = None if label is None else np.array([label])
        location = self.location(check_image(image, self.image_shape), labels)[0]
        latents = along_dimensions(location, dimensions, extent, steps)
        return self._decoded(latents, None if labels is None else np.repeat(labels, latents.shape[0] * steps))

    def _decoded(self, latents: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        """Returns the images of latents [rows, steps, latent_size], for labels [rows * steps] where there are some."""
        images = self.decode(latents.reshape(-1, self.latent_size), labels)
        return images.reshape(*latents.shape[:2], *self.image_shape)

    def checked_batch(self, images: Any, labels: Any) -> dict[str, np.ndarray]:
        """Returns "image", and "label" for conditional models, after checking them."""
        images = check_images(images, self.image_shape)
        return {"image": images, **self._given_labels(labels, len(images))}
