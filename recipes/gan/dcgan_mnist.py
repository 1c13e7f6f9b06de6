"""A plain DCGAN on MNIST, to compare with: batch statistics, no penalty, no average, steps of one size.

    zoo train dcgan_mnist

What tutorials train. `gan_mnist` has the same networks but for its discriminator, without statistics and with one
more dense layer.
"""

from recipes.model_settings import GANSettings
from recipes.settings import EvaluateSettings, Settings, TrainSettings

SETTINGS = Settings(
    recipe="dcgan_mnist",
    data="mnist",
    model=GANSettings(
        network="dcgan", latent_size=64, filters=[64, 128], normalization="batch", average=0.0, betas=(0.5, 0.999)
    ),
    train=TrainSettings(epochs=40, batch_size=64, learning_rate=2e-4, decay=False, validation=1000, dtype="auto"),
    evaluate=EvaluateSettings(images=10_000),
)

PARAMETERS = 673_346
EXPECTED = {}
