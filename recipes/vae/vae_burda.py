"""The fully connected VAE of Burda et al. (2016), section 5: one stochastic layer of 50 latents, on MNIST.

    zoo train vae_burda

Two hidden layers of 200 tanh units, binarized anew at every step. The paper reports 86.76 nats, after 3,280
passes with batches of 20; this is far fewer passes, with larger batches and a step size that falls to 1 %.
"""

from recipes.model_settings import VAESettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="vae_burda",
    data="mnist",
    model=VAESettings(network="mlp", latent_size=50, hidden=200, activation="tanh"),
    train=TrainSettings(epochs=1000, batch_size=128, learning_rate=2e-3, validation=1000, jit_compile=True),
    evaluate=EvaluateSettings(draws=5000, images=10_000),
)

PARAMETERS = 425_284
EXPECTED = {"nll": 87.23, "standard_error": 0.23, "data": "mnist", "images": 10_000, "draws": 5000}
PUBLISHED = "86.76 (Burda et al. 2016)"
