"""The network of Burda et al. (2016) trained as an IWAE with 50 draws an image, on MNIST, from the VAE's weights.

    zoo train vae_burda
    zoo train iwae_burda --set train.start_from=runs/vae_burda

A step costs some ten times one of the VAE, so this begins where `vae_burda` ends. The paper tries that too (section
5.1): from 86.76 nats, another phase with 50 draws brings 84.88, against 84.78 with 50 draws throughout.
"""

from recipes.model_settings import IWAESettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="iwae_burda",
    data="mnist",
    model=IWAESettings(
        network="mlp",
        latent_size=50,
        hidden=200,
        activation="tanh",
        num_samples=50,
    ),
    train=TrainSettings(epochs=50, batch_size=128, learning_rate=5e-4, validation=1000, jit_compile=True),
    evaluate=EvaluateSettings(draws=5000, images=10_000),
)

BEGINS_FROM = "vae_burda"
PARAMETERS = 425_284
EXPECTED = {"nll": 85.94, "standard_error": 0.23, "data": "mnist", "images": 10_000, "draws": 5000}
PUBLISHED = "84.78; 84.88 begun from a VAE (Burda et al. 2016)"
