"""Training on two replicas, in a process of its own, because devices are set up before TensorFlow starts."""

import subprocess
import sys

import pytest

CODE = """
import sys
sys.path.insert(0, "tests")
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import zoo
from zoo.networks import mlp_decoder, mlp_encoder

class Quadratic(zoo.GenerativeModel):
    image_shape = (2, 2, 1)
    def __init__(self):
        super().__init__(seed=0)
        self.weight = self.add_weight(shape=(), initializer="ones")
        self.built = True
    def objective(self, images, seed, training):
        return {"loss": self.weight**2 * tf.reduce_sum(images, axis=[1, 2, 3])}

images = np.random.default_rng(0).random((8, 2, 2, 1), np.float32)
weights = []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    with strategy.scope():
        model = Quadratic()
        model.compile(keras.optimizers.SGD(0.01))
    model.fit(images, batch_size=8, verbose=0)
    weights.append(float(model.weight.numpy()))
np.testing.assert_allclose(weights[0], 1 - 0.01 * 2 * images.sum(axis=(1, 2, 3)).mean(), rtol=1e-5)
np.testing.assert_allclose(weights[0], weights[1], rtol=1e-5)

with strategy.scope():
    model = zoo.VAE(mlp_encoder((2, 2, 1), (8,)), mlp_decoder(2, (2, 2, 1), (8,)), seed=0)
    model.compile("adam")
    coder = zoo.Autoencoder(
        mlp_encoder((2, 2, 1), (8,)), mlp_decoder(2, (2, 2, 1), (8,)), density="flow", seed=0
    )
    coder.compile("adam")
coder.fit(images, batch_size=8, verbose=0)
assert np.isfinite(coder.fit_latent_density(images, epochs=2))
assert coder.sample(3).shape == (3, 2, 2, 1)
history = model.fit(images, batch_size=8, epochs=2, verbose=0).history
assert np.isfinite(history["loss"]).all()
# A GAN takes the steps of one replica: networks without batch statistics, whose gradients are means over images.
weights = []
class Ramp(keras.layers.Layer):
    def build(self, shape):
        self.place = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.2))
    def call(self, latents):
        return tf.reshape(0.0 * latents[:, :1] + self.place, [-1, 1, 1, 1])

for scope in (tf.distribute.get_strategy(), strategy):
    with scope.scope():
        generator = keras.Sequential([keras.Input((1,)), Ramp()])
        slope = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(0.3))
        discriminator = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten(), slope])
        game = zoo.GAN(generator, discriminator, penalties=["r1"], average=0.5, seed=0)
        game.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    game.fit(images[:, :1, :1], batch_size=8, epochs=3, shuffle=False, verbose=0)
    weights.append(game.get_weights())
for one, other in zip(*weights, strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-5)
assert abs(weights[0][0] - 0.2) > 1e-4

with strategy.scope():
    spectral = zoo.networks.dcgan_discriminator((4, 4, 1), (4,), "spectral")
    lazy = [zoo.gan.penalties.R1(1.0, every=2)]
    game = zoo.GAN(zoo.networks.dcgan_generator((4, 4, 1), 2, (4,)), spectral, penalties=lazy, seed=0)
    game.compile()
game.fit(np.random.default_rng(0).random((16, 4, 4, 1), np.float32), batch_size=8, verbose=0)
assert np.isfinite(game.sample(2)).all()
# Every public model trains and draws.
import example_models
for name, make in example_models.MODELS.items():
    with strategy.scope():
        each = make()
        each.compile()
    if name in ("EBM", "RBM"):  # whose persistent chains are one set for all
        try:
            example_models.fit(each)
        except zoo.ZooError as error:
            assert "train on one device" in str(error)
        else:
            raise AssertionError("replicas shared chains")
        continue
    history = example_models.fit(each)
    assert np.isfinite(history["loss"]).all(), name
    assert np.isfinite(each.sample(2)).all(), name
seeds = strategy.run(lambda: model._step_seed(tf.constant(0), 0))
assert len({int(seed) for seed in strategy.experimental_local_results(seeds)}) == 2
"""


@pytest.mark.slow
def test_two_replicas_take_the_step_of_one_and_draw_their_own_noise():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
