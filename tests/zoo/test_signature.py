"""Declarations of signatures."""

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.signature import SEED, NamedTensor, Signature, labels_to_draw


def test_names_of_inputs_and_outputs_must_differ():
    image = NamedTensor("image", ("batch", 8, 8, 1))
    with pytest.raises(ValueError, match="must differ"):
        Signature("copy", lambda image: {"image": image}, (image,), (image,))


@pytest.mark.parametrize("name", ["x-1", "1st", "my input", "self", "class", "", "_x", "größe"])
def test_names_are_identifiers(name):
    with pytest.raises(ValueError, match="cannot name a tensor"):
        NamedTensor(name, ())


@pytest.mark.parametrize("dtype", ["foo", "bfloat16", "str", "<f4", None])
def test_dtypes_are_those_of_all_formats(dtype):
    with pytest.raises(ValueError, match=r"has dtype .*, expected one of bool"):
        NamedTensor("x", (), dtype)


def test_a_signature_gives_something():
    with pytest.raises(ValueError, match="has no outputs"):
        Signature("x", dict, (NamedTensor("y", ()),), ())


def test_inputs_differ_in_more_than_capitals():
    with pytest.raises(ValueError, match="differ in capitals alone"):
        Signature("x", dict, (NamedTensor("X", ()), NamedTensor("x", ())), (NamedTensor("y", ()),))


@pytest.mark.parametrize("formats", [(), ("onx",)])
def test_formats_must_be_known(formats):
    with pytest.raises(ValueError, match="formats are"):
        Signature("x", dict, (), (NamedTensor("y", ()),), formats=formats)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": ("batch", -3)}, "expected sizes of at least 1"),
        ({"range": (1, 0)}, "expected .smallest, largest."),
        ({"examples": (2, 1)}, "expected .smallest, largest."),
        ({"shape": (None, 4)}, "expected sizes of at least 1 and names"),
        ({"range": (0, 5), "examples": (0, 9)}, "has the examples .0, 9., beyond its range"),
        ({"default": float("inf")}, "which is no finite float32"),
        ({"dtype": "int64", "default": 1.5}, "which is no finite int64"),
        ({"dtype": "uint8", "default": 300}, "which is no finite uint8"),
        ({"dtype": "float16", "default": 1e6}, "which is no finite float16"),
        ({"dtype": "bool", "default": 2}, "which is no finite bool"),
        ({"default": "one"}, "has the default 'one', which is no finite float32"),
        ({"range": (0, 5), "default": 9.0}, "has the default 9.0, beyond its range"),
    ],
)
def test_what_a_tensor_declares_fits_together(options, message):
    with pytest.raises(ValueError, match=message):
        NamedTensor("x", **{"shape": (), **options})


@pytest.mark.parametrize("tolerance", [-1.0, np.nan, np.inf])
def test_tolerances_are_numbers(tolerance):
    with pytest.raises(ValueError, match="tolerance is"):
        Signature("x", dict, (), (NamedTensor("y", ()),), tolerance=tolerance)


def test_a_signature_with_a_seed_is_stochastic():
    value = NamedTensor("value", ())
    assert Signature("draw", dict, (SEED,), (value,)).stochastic
    assert not Signature("constant", dict, (), (value,)).stochastic


def test_free_axes_are_none_for_tensorflow():
    assert NamedTensor("image", ("batch", 8, "width", 1)).free_shape == (None, 8, None, 1)


def test_only_scalars_may_be_left_out():
    signature = Signature("x", dict, (SEED, NamedTensor("heat", (), default=2.0)), (NamedTensor("y", ()),))
    assert signature.defaults == {"heat": 2.0}
    with pytest.raises(ValueError, match="only scalars"):
        NamedTensor("heat", ("n",), default=2.0)


def test_labels_to_draw_are_one_for_all_or_each_or_all_classes_in_turn():
    np.testing.assert_array_equal(labels_to_draw(5, None, 3), [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(labels_to_draw(3, 2, 3), [2, 2, 2])
    np.testing.assert_array_equal(labels_to_draw(2, [1, 0], 3), [1, 0])
    for wrong in (3, -1, 0.5, [0, 1, 2], "two"):
        with pytest.raises(ZooError, match="label"):
            labels_to_draw(2, wrong, 3)
