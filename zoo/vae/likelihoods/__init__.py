"""Likelihoods p(x|z): Keras layers from the decoder's output to a distribution over images."""

from zoo.vae.likelihoods.base import Likelihood
from zoo.vae.likelihoods.bernoulli import Bernoulli
from zoo.vae.likelihoods.normal import Normal

__all__ = ["Bernoulli", "Likelihood", "Normal"]

LIKELIHOODS: dict[str, type[Likelihood]] = {"bernoulli": Bernoulli, "normal": Normal}
