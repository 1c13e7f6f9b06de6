"""Declarations of signatures."""

import pytest

from zoo.signature import SEED, NamedTensor, Signature


def test_names_of_inputs_and_outputs_must_differ():
    image = NamedTensor("image", ("batch", 8, 8, 1))
    with pytest.raises(ValueError, match="must differ"):
        Signature("copy", lambda image: {"image": image}, (image,), (image,))


@pytest.mark.parametrize("name", ["x-1", "1st", "my input", "self", "class", ""])
def test_names_are_identifiers(name):
    with pytest.raises(ValueError, match="cannot name a tensor"):
        NamedTensor(name, ())


@pytest.mark.parametrize("formats", [(), ("onx",)])
def test_formats_must_be_known(formats):
    with pytest.raises(ValueError, match="formats are"):
        Signature("x", dict, (), (NamedTensor("y", ()),), formats=formats)


def test_a_signature_with_a_seed_is_stochastic():
    value = NamedTensor("value", ())
    assert Signature("draw", dict, (SEED,), (value,)).stochastic
    assert not Signature("constant", dict, (), (value,)).stochastic


def test_free_axes_are_none_for_tensorflow():
    assert NamedTensor("image", ("batch", 8, "width", 1)).free_shape == (None, 8, None, 1)
