"""Settings: overriding them, and what is refused."""

import pytest

from recipes.registry import description_of, names, settings_of
from recipes.settings import override, validated
from zoo.errors import ZooError


def test_values_are_read_and_validated():
    settings = settings_of("vae_mnist")
    changed = override(
        settings, ["train.epochs=3", "model.filters=[8, 16]", "data=npz:/a=b.npz", "image.size=[28, 20]"]
    )
    assert (changed.train.epochs, changed.model.filters) == (3, [8, 16])
    assert changed.data == "npz:/a=b.npz"
    assert changed.image.size == (28, 20)
    assert settings.train.epochs == 200


@pytest.mark.parametrize(
    "assignment, message",
    [
        ("train.epoch=3", r"unknown setting 'train.epoch'\. Did you mean 'train.epochs'"),
        ("latent_size=3", "Did you mean 'model.latent_size'"),
        ("train.epochs", "is not key=value"),
        ("train.epochs=0", r"train\.epochs: .*greater than or equal to 1 \(given: 0\)"),
        ("train.epochs=many", r"train\.epochs: .*integer"),
        ("train.learning_rate=-1", r"train\.learning_rate"),
        ("model.network=transformer", r"model\.network: .*'mlp', 'conv' or 'residual'"),
        ("model.kind=iwea", r"model\.kind: recipes know no 'iwea'\. Did you mean 'iwae'.*from Python"),
        ("model.filters=[0]", r"model\.filters\.0"),
        ("image.size=-3", r"image\.size: "),
        ("model.filters=[", "cannot be read"),
        ("recipe=vae_mnist", "unknown setting"),
    ],
)
def test_assignments_that_are_refused(assignment, message):
    with pytest.raises(ZooError, match=message):
        override(settings_of("vae_digits"), [assignment])


def test_yaml_round_trip():
    import yaml

    for name in names():
        settings = settings_of(name)
        assert validated(yaml.safe_load(settings.to_yaml())) == settings
        assert description_of(name).endswith(".")


def test_an_unknown_recipe_names_the_near_miss():
    with pytest.raises(ZooError, match="Did you mean 'vae_digits'"):
        settings_of("vae_digit")
