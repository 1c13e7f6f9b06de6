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
    evaluate=EvaluateSettings(draws=10_000, images=10_000),
)

PARAMETERS = 471_684
PUBLISHED = "86.34 (Salakhutdinov & Murray 2008, CD-25)"
EXPECTED = {}
