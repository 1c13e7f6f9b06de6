"""A small VAE on the 1,797 handwritten digits of scikit-learn: trains in a minute, needs no download.

    zoo train vae_digits

Expect a test negative log-likelihood near 22.9 nats (standard error 0.2) on 359 images of 8x8 binary pixels, with
100 draws each.
"""

from recipes.model_settings import VAESettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="vae_digits",
    data="digits",
    model=VAESettings(network="mlp", latent_size=16, hidden=256, activation="elu"),
    train=TrainSettings(epochs=150, batch_size=64, learning_rate=1e-3, validation=100, jit_compile=True),
    evaluate=EvaluateSettings(draws=100, images=10_000),
)

PARAMETERS = 177_248
EXPECTED = {"nll": 22.92, "standard_error": 0.20, "data": "digits", "images": 359, "draws": 100}
