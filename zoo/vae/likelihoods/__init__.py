"""Likelihoods p(x|z): Keras layers from the decoder's output to a distribution over images."""

from zoo.vae.likelihoods.base import Likelihood
from zoo.vae.likelihoods.bernoulli import Bernoulli
from zoo.vae.likelihoods.categorical import Categorical
from zoo.vae.likelihoods.continuous_bernoulli import ContinuousBernoulli
from zoo.vae.likelihoods.logistic_mixture import DiscretizedLogisticMixture
from zoo.vae.likelihoods.normal import Normal

__all__ = ["Bernoulli", "Categorical", "ContinuousBernoulli", "DiscretizedLogisticMixture", "Likelihood", "Normal"]

LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "categorical": Categorical,
    "continuous_bernoulli": ContinuousBernoulli,
    "discretized_logistic_mixture": DiscretizedLogisticMixture,
    "normal": Normal,
}
