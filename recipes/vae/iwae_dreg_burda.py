"""The IWAE of `iwae_burda` trained further with doubly reparameterized gradients (Tucker et al. 2019), on MNIST.

    zoo train vae_burda
    zoo train iwae_burda --set train.start_from=runs/vae_burda
    zoo train iwae_dreg_burda --set train.start_from=runs/iwae_burda

With many draws the usual gradient of the encoder is mostly noise (Rainforth et al. 2018); this one is not.
"""

from recipes.model_settings import IWAESettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="iwae_dreg_burda",
    data="mnist",
    model=IWAESettings(
        network="mlp",
        latent_size=50,
        hidden=200,
        activation="tanh",
        num_samples=50,
        gradient="doubly_reparameterized",
    ),
    train=TrainSettings(epochs=30, batch_size=128, learning_rate=5e-4, validation=1000),
    evaluate=EvaluateSettings(draws=5000, images=10_000),
)

BEGINS_FROM = "iwae_burda"
PARAMETERS = 425_284
EXPECTED = {"nll": 85.80, "standard_error": 0.23, "data": "mnist", "images": 10_000, "draws": 5000}
PUBLISHED = "84.78, usual gradient (Burda et al. 2016)"
