"""The VAE of Burda et al. (2016) with a VampPrior of 500 pseudo-inputs (Tomczak and Welling 2018), on MNIST.

    zoo train vamp_burda

Network and data are those of `vae_burda`, with half the passes. The KL term gets its weight over the first 20
passes, as in the paper over 100: without, the posterior collapses, since a prior made of it can follow it anywhere. It
does, warm-up or not, with the step size of `vae_burda`, 0.002; here it is half of that.
"""

from recipes.model_settings import VAESettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="vamp_burda",
    data="mnist",
    model=VAESettings(network="mlp", latent_size=50, hidden=200, activation="tanh", prior="vamp", kl_warm_up=9220),
    train=TrainSettings(epochs=500, batch_size=128, learning_rate=1e-3, validation=1000, jit_compile=True),
    evaluate=EvaluateSettings(draws=5000, images=10_000),
)

PARAMETERS = 817_284
EXPECTED = {"nll": 86.36, "standard_error": 0.24, "data": "mnist", "images": 10_000, "draws": 5000}
PUBLISHED = "85.57, another network, static binarization (Tomczak and Welling 2018)"
