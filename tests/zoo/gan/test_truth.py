"""Games whose solution is known: a distance in one dimension, and a mixture in two."""

import keras
import numpy as np
import pytest

import zoo
from zoo.gan.penalties import R1, R2, GradientPenalty

LAYERS = keras.layers


class Fixed(keras.layers.Layer):
    """A generator of one pixel, all but uniform from 0.6 to 0.9. Its weight is for an optimizer that leaves it."""

    def build(self, shape):
        self.start = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.6))

    def call(self, latents):
        return self.start + 0.3 * keras.ops.reshape(keras.ops.sigmoid(1.702 * latents), [-1, 1, 1, 1])


@pytest.mark.parametrize("weight", [10.0, 40.0])
def test_a_critic_reaches_the_wasserstein_distance(weight):
    """Of images below those generated, the distance is that of the means, d = 0.6 in pixels from -1 to 1.

    A critic of slope s earns s d - weight (s - 1)^2, most at s = 1 + d / (2 weight).
    """
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((1,)), Fixed()])
    critic = keras.Sequential(
        [keras.Input((1, 1, 1)), LAYERS.Flatten(), LAYERS.Dense(32, "elu"), LAYERS.Dense(32, "elu"), LAYERS.Dense(1)]
    )
    model = zoo.GAN(generator, critic, "wasserstein", [GradientPenalty(weight)], average=0.0, seed=0)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.Adam(2e-3, 0.5), jit_compile=True)
    real = np.random.default_rng(0).uniform(0.3, 0.6, (4000, 1, 1, 1)).astype(np.float32)
    model.fit(real, batch_size=100, epochs=12, verbose=0)
    drawn = model.sample(4000)
    distance = 2 * (drawn.mean() - real.mean())
    found = model.discriminate(real)["logit"].mean() - model.discriminate(drawn)["logit"].mean()
    assert found == pytest.approx(distance * (1 + distance / (2 * weight)), rel=0.03)
    loss = model.evaluate(real, verbose=0, return_dict=True)["discriminator_loss"]
    assert -loss == pytest.approx(found, rel=0.05)


def mixture(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the 25 centres [25, 2] of a grid, and images [20000, 1, 2, 1] of points around them."""
    centres = np.stack(np.meshgrid(*[np.linspace(0.1, 0.9, 5)] * 2), axis=-1).reshape(-1, 2)
    rng = np.random.default_rng(0)
    points = centres[rng.integers(0, 25, 20_000)] + sigma * rng.normal(size=(20_000, 2))
    return centres, points.astype(np.float32).reshape(-1, 1, 2, 1)


def waves(scale: float) -> keras.layers.Layer:
    """Features in which a small network can tell places apart (Rahimi and Recht 2007)."""
    return LAYERS.Dense(128, keras.ops.sin, kernel_initializer=keras.initializers.RandomNormal(stddev=scale))


@pytest.mark.slow
def test_all_25_modes_of_a_mixture_are_found():
    """The grid of Metz et al. (2017) and of many after them. A point is good within 3 sigma of a centre."""
    sigma = 0.01
    centres, images = mixture(sigma)
    keras.utils.set_random_seed(0)
    hidden = [LAYERS.Dense(128, "relu"), LAYERS.Dense(128, "relu")]
    generator = keras.Sequential(
        [keras.Input((2,)), waves(1.0), *hidden, LAYERS.Dense(2, "sigmoid"), LAYERS.Reshape((1, 2, 1))]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((1, 2, 1)),
            LAYERS.Rescaling(2.0, -1.0),
            LAYERS.Flatten(),
            waves(8.0),
            LAYERS.Dense(128, "relu"),
            LAYERS.Dense(1),
        ]
    )
    penalties = [R1(0.002), R2(0.002)]
    model = zoo.GAN(generator, discriminator, "relativistic", penalties, average=0.99, seed=0)
    decay = keras.optimizers.schedules.CosineDecay(1e-3, 120 * 79)
    optimizers = (keras.optimizers.Adam(decay, 0.0, 0.99) for _ in range(2))  # pyright: ignore[reportArgumentType]
    model.compile(*optimizers, jit_compile=True, steps_per_execution=10)
    model.fit(images, batch_size=256, epochs=120, verbose=0)
    points = model.sample(5000).reshape(-1, 2)
    distances = np.linalg.norm(points[:, None] - centres, axis=-1)
    good = distances.min(axis=1) < 3 * sigma
    found = np.bincount(distances.argmin(axis=1)[good], minlength=25)
    assert (found > 10).all()
    assert good.mean() > 0.75
