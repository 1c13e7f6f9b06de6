"""Builds models with energies from settings."""

import inspect

import zoo
from recipes.builders.labels import classes_of
from recipes.data import Dataset
from recipes.model_settings import EBMSettings, JEMSettings, RBMSettings, ScoreSettings
from zoo.ebm.objectives import OBJECTIVES, NoiseContrastiveEstimation, Objective
from zoo.ebm.samplers import GradientDescent, Nesterov, UnadjustedLangevin
from zoo.ebm.samplers.base import Sampler
from zoo.errors import ZooError
from zoo.model import GenerativeModel

_OPTIONS = ("steps", "buffer_size", "reinit_rate", "reinit_from_data", "regularization", "data_noise", "kl_weight")


def rbm(settings: RBMSettings, data: Dataset, seed: int) -> GenerativeModel:
    """Returns an RBM whose visible biases are those of the training images."""
    model = zoo.RBM(data.image_shape, settings.hidden, settings.gibbs_steps, settings.persistent_chains, seed)
    model.adapt(data.train)
    return model


def ebm(settings: EBMSettings, data: Dataset, seed: int) -> GenerativeModel:
    """Returns an untrained EBM."""
    networks, shape = zoo.networks, data.image_shape
    if settings.network == "conv":
        energy = networks.conv_energy(shape, settings.filters, settings.hidden, settings.activation)
    else:
        energy = networks.unet_energy(shape, settings.filters, activation=settings.activation)
    return zoo.EBM(energy, _objective(settings, data), _sampler(settings), settings.sample_steps, seed)


def jem(settings: JEMSettings, data: Dataset, seed: int) -> GenerativeModel:
    """Returns an untrained joint energy model."""
    if settings.network != "conv":
        raise ZooError(f"a classifier cannot be made of model.network={settings.network}. Take model.network=conv")
    how = data.image_shape, settings.filters, settings.hidden, settings.activation, classes_of(data)
    classifier, objective = zoo.networks.conv_energy(*how), _objective(settings, data)
    steps = settings.sample_steps
    return zoo.JointEnergyModel(classifier, objective, _sampler(settings), steps, settings.energy_weight, seed)


def score(settings: ScoreSettings, data: Dataset, seed: int) -> GenerativeModel:
    """Returns an untrained score model."""
    network = zoo.networks.unet(data.image_shape, settings.filters, settings.blocks, settings.heads)
    names = ("noise_levels", "deviation", "level_median", "sample_steps", "renewal")
    return zoo.ScoreModel(network, **{name: getattr(settings, name) for name in names}, seed=seed)


def _objective(settings: EBMSettings, data: Dataset) -> Objective:
    """Returns the objective with the settings that it has, and what it needs to know of the data."""
    kind, known = OBJECTIVES[settings.objective], set()
    for each in kind.__mro__:
        if issubclass(each, Objective):
            known |= set(inspect.signature(each.__init__).parameters)
    objective = kind(**{name: getattr(settings, name) for name in _OPTIONS if name in known})
    if isinstance(objective, NoiseContrastiveEstimation):
        objective.adapt(data.train)
    return objective


def _sampler(settings: EBMSettings) -> Sampler:
    """Returns what chains are run with; those of equilibrium matching begin beyond [0, 1], and may go there."""
    bounds = None if settings.objective == "equilibrium_matching" else (0.0, 1.0)
    if settings.sampler == "descent":
        return GradientDescent(settings.step_size, bounds)
    if settings.sampler == "nesterov":
        return Nesterov(settings.step_size, bounds=bounds)
    clip = settings.gradient_clip
    return UnadjustedLangevin(settings.step_size, 1.0, settings.noise_scale, clip, bounds)
