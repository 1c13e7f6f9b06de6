"""Small examples of every public model, in which no argument has its default. A new model is added here."""

import keras
import numpy as np

import zoo
from zoo.ebm import objectives, samplers
from zoo.gan.penalties import R1, R2, GradientPenalty
from zoo.model import GenerativeModel
from zoo.networks import (
    conv_decoder,
    conv_encoder,
    conv_energy,
    dcgan_discriminator,
    dcgan_generator,
    grid_decoder,
    grid_encoder,
    mlp_decoder,
    mlp_encoder,
    pixelcnn,
    residual_decoder,
    residual_encoder,
    unet,
    unet_energy,
)
from zoo.vae import likelihoods, posteriors, priors, quantizers


def images(model: GenerativeModel, count: int = 12) -> np.ndarray:
    return np.random.default_rng(0).random((count, *model.image_shape), np.float32)


def vae() -> zoo.VAE:
    """A VAE in which no argument has its default."""
    return zoo.VAE(
        conv_encoder((8, 6, 1), (4,), 8),
        conv_decoder(3, (8, 6, 1), (4,), 8),
        posterior=posteriors.DiagonalNormal(3),
        prior=priors.StandardNormal(3),
        likelihood=likelihoods.Normal(scale=0.3, learned=True),
        kl_warm_up=5,
        free_bits=0.1,
        seed=11,
    )


def networks(num_classes: int | None = None) -> tuple[keras.Model, keras.Model]:
    shape = (8, 6, 1)
    encoder = mlp_encoder(shape, (8,), num_classes=num_classes)
    return encoder, mlp_decoder(3, shape, (8,), num_classes=num_classes)


def hierarchical() -> zoo.HierarchicalVAE:
    encoder = residual_encoder((8, 6, 1), (4,), 0, 6, activation="relu")
    decoder = residual_decoder((4, 3, 4), (8, 6, 1), (3,))
    likelihood = likelihoods.Normal(scale=0.3)
    return zoo.HierarchicalVAE(encoder, decoder, ((2,), (1, 1)), likelihood, 0, "relu", 5, 0.1, 11)


def vector_quantized() -> zoo.VQVAE:
    encoder = grid_encoder((8, 6, 1), (4,), 3, 0)
    decoder = grid_decoder((4, 3, 3), (8, 6, 1), (4,), 0)
    quantizer, prior = quantizers.VectorQuantizer(6), pixelcnn((4, 3), 6, 4, 1)
    model = zoo.VQVAE(encoder, decoder, quantizer, prior, likelihoods.Normal(scale=0.3), 0.5, 11)
    model.fit_prior(images(model), epochs=1, verbose=0)
    return model


def autoencoder() -> zoo.Autoencoder:
    density = priors.GaussianMixture(3, components=2)
    model = zoo.Autoencoder(*networks(), likelihoods.Normal(scale=0.3), "gaussian", 0.1, 0.1, density, 11)
    model.fit_latent_density(images(model))
    return model


def gan() -> zoo.GAN:
    return zoo.GAN(
        dcgan_generator((8, 6, 1), 3, (6, 4)),
        dcgan_discriminator((8, 6, 1), (4, 6), "none"),
        loss="least_squares",
        penalties=[R1(0.5, every=2), R2(0.3)],
        discriminator_steps=2,
        average=0.9,
        augmentation=["color", "translation", "cutout"],
        label_smoothing=0.1,
        weight_clip=0.5,
        seed=11,
    )


def conditional_gan() -> zoo.ConditionalGAN:
    return zoo.ConditionalGAN(
        dcgan_generator((8, 6, 1), 3, (6, 4), num_classes=3),
        dcgan_discriminator((8, 6, 1), (4, 6), "spectral", num_classes=3),
        loss="wasserstein",
        penalties=[GradientPenalty()],
        average=0.9,
        weight_clip=0.5,
        seed=11,
    )


def classifying_gan() -> zoo.ConditionalGAN:
    discriminator = dcgan_discriminator((8, 6, 1), (4, 6), "none", num_classes=3, conditioning="classifier")
    generator = dcgan_generator((8, 6, 1), 3, (6, 4), num_classes=3)
    return zoo.ConditionalGAN(generator, discriminator, classifier_weight=0.5, average=0.0, seed=11)


def ebm() -> zoo.EBM:
    objective = objectives.PersistentContrastiveDivergence(
        3, 20, 0.1, regularization=0.1, data_noise=0.02, kl_weight=0.1, energy_limit=500.0
    )
    sampler = samplers.UnadjustedLangevin(0.02, 0.5, 0.03, 0.3, (0.0, 1.0))
    return zoo.EBM(conv_energy((8, 6, 1), (4, 6), 5, "softplus"), objective, sampler, sample_steps=9, seed=11)


def fit(model: GenerativeModel, **options) -> dict[str, list[float]]:
    """Trains on random images, with labels where the model takes them, and all its stages; returns the history."""
    labels = None if model.num_classes is None else np.arange(12) % model.num_classes
    history = model.fit(images(model), labels, batch_size=4, verbose=0, **options).history
    if isinstance(model, zoo.Autoencoder):
        model.fit_latent_density(images(model))
    if isinstance(model, zoo.VQVAE):
        model.fit_prior(images(model), epochs=1, verbose=0)
    return history


def options(**given) -> dict:
    """Options that all variants of the VAE share, away from their defaults."""
    shared = {"posterior": posteriors.DiagonalNormal(3), "prior": priors.StandardNormal(3), "kl_warm_up": 5}
    return {**shared, "likelihood": likelihoods.Normal(scale=0.3), "seed": 11, **given}


MODELS = {
    "Autoencoder": autoencoder,
    "BetaTCVAE": lambda: zoo.BetaTCVAE(*networks(), **options(dataset_size=12, alpha=0.9, beta=2.0, gamma=1.1)),
    "BetaVAE": lambda: zoo.BetaVAE(*networks(), **options(beta=2.0, capacity=3.0, capacity_steps=7, kl_warm_up=0)),
    "ConditionalGAN": conditional_gan,
    "ConditionalGAN, classifier": classifying_gan,
    "ConditionalVAE": lambda: zoo.ConditionalVAE(*networks(num_classes=3), **options(free_bits=0.1)),
    "EBM": ebm,
    "EBM, score matching": lambda: zoo.EBM(
        conv_energy((8, 6, 1), (4,), 5),
        objectives.DenoisingScoreMatching((0.1, 0.4)),
        samplers.Nesterov(samplers.Geometric(1e-2, 1e-3, 10), 0.5),
        sample_steps=7,
        seed=11,
    ),
    "EBM, equilibrium matching": lambda: zoo.EBM(
        unet_energy((8, 6, 1), (4, 6), 2, 2, "softplus"),
        objectives.EquilibriumMatching(3.0, 0.7, 0.4),
        samplers.Nesterov(0.02, 0.3),
        sample_steps=7,
        seed=11,
    ),
    "GAN": gan,
    "HierarchicalVAE": hierarchical,
    "IWAE": lambda: zoo.IWAE(
        *networks(), **options(num_samples=2, bound="piwae", repeats=3, beta=0.1, gradient="doubly_reparameterized")
    ),
    "InfoVAE": lambda: zoo.InfoVAE(
        *networks(), **options(alpha=0.5, mmd_weight=10.0, kernel="gaussian", free_bits=0.1)
    ),
    "JointEnergyModel": lambda: zoo.JointEnergyModel(
        conv_energy((8, 6, 1), (4,), 5, outputs=3),
        objectives.ContrastiveDivergence(2, 0.1, energy_limit=900.0),
        samplers.GradientDescent(0.02, (0.0, 1.0)),
        sample_steps=9,
        energy_weight=0.5,
        seed=11,
    ),
    "RBM": lambda: zoo.RBM((8, 6, 1), hidden_units=5, gibbs_steps=2, persistent_chains=6, seed=11),
    "ScoreModel": lambda: zoo.ScoreModel(
        unet((8, 6, 1), (4, 6), 2, 2), (0.02, 4.0), 0.4, sample_steps=5, renewal=0.5, seed=11
    ),
    "VAE": vae,
    "VQVAE": vector_quantized,
}
