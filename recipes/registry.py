"""The recipes by name. Importing this loads no TensorFlow."""

import importlib
from types import ModuleType
from typing import Any

from recipes.settings import Settings
from zoo.errors import ZooError, near_miss

# A recipe is a module with SETTINGS, PARAMETERS and EXPECTED, PUBLISHED where there is something to compare with,
# and BEGINS_FROM where it goes on from the weights of another.
_FAMILIES = {
    "ebm": ("ebm_mnist", "eqm_mnist", "jem_mnist", "rbm_mnist"),
    "gan": ("cgan_mnist", "dcgan_mnist", "gan_cifar10_jpeg_subset", "gan_mnist"),
    "vae": (
        "cvae_mnist",
        "hvae_cifar10_jpeg_subset",
        "hvae_mnist",
        "iwae_burda",
        "iwae_dreg_burda",
        "vae_burda",
        "vae_digits",
        "vae_frey_faces",
        "vae_mnist",
        "vamp_burda",
        "vqvae_mnist",
    ),
}
_RECIPES = {name: f"recipes.{family}.{name}" for family, names in _FAMILIES.items() for name in names}


def names() -> list[str]:
    """Returns the names of the recipes."""
    return sorted(_RECIPES)


def settings_of(name: str) -> Settings:
    """Returns the settings of a recipe.

    Raises:
        ZooError: There is no such recipe.
    """
    return _recipe(name).SETTINGS


def description_of(name: str) -> str:
    """Returns the first line of a recipe's text."""
    return (_recipe(name).__doc__ or "").splitlines()[0]


def begins_from(name: str) -> str:
    """Returns the recipe whose weights this one goes on from, or ""."""
    return getattr(_recipe(name), "BEGINS_FROM", "")


def parameters_of(name: str) -> int:
    """Returns the number of parameters of a recipe's model, on its own data."""
    return _recipe(name).PARAMETERS


def expected_of(name: str) -> dict[str, Any]:
    """Returns the figures that a recipe gave when it was last run, or {} where it has not been run as it is now."""
    return _recipe(name).EXPECTED


def published_of(name: str) -> str:
    """Returns the figure that a recipe is to be measured against, with its source, or ""."""
    return getattr(_recipe(name), "PUBLISHED", "")


def _recipe(name: str) -> ModuleType:
    if name not in _RECIPES:
        raise ZooError(f"unknown recipe '{name}'.{near_miss(name, _RECIPES)} Known: {', '.join(names())}.")
    return importlib.import_module(_RECIPES[name])
