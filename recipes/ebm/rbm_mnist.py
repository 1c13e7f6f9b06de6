"""A restricted Boltzmann machine with 500 hidden units on binarized MNIST, by persistent contrastive divergence.

zoo train rbm_mnist
"""

from recipes.model_settings import RBMSettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="rbm_mnist",
    data="mnist",
    model=RBMSettings(hidden=500, gibbs_steps=5, persistent_chains=100),
    train=TrainSettings(epochs=100, batch_size=100, learning_rate=1e-3, validation=1000),
    evaluate=EvaluateSettings(draws=100_000, images=10_000),
)

PARAMETERS = 471_684
PUBLISHED = "86.34 (Salakhutdinov & Murray 2008, CD-25)"
EXPECTED = {
    "nll": 88.07,
    "standard_error": 0.57,
    "nll_bounds": [86.29, 89.43],
    "data": "mnist",
    "draws": 100_000,
    "draws_are": "temperature",
    "images": 10_000,
    "frechet_distance": 64.17,
    "frechet_distance_error": 2.49,
    "train_frechet_distance": 3.43,
    "samples": 10_000,
    "real_images": 10_000,
    "features": "classifier_mnist",
    "resizing": "none",
}
