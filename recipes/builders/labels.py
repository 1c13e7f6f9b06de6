"""What models are told of classes."""

from recipes.data import Dataset
from zoo.errors import ZooError


def classes_of(data: Dataset) -> int:
    """Returns how many classes the labels of data name.

    Raises:
        ZooError: There are no labels.
    """
    if data.train_labels is None:
        raise ZooError(
            f"{data.name} has no labels, which a conditional model needs. An npz holds them as y or y_train."
        )
    if data.test_labels is None:
        raise ZooError(f"{data.name} has labels of training images alone. An npz holds those of x_test as y_test.")
    return int(max(data.train_labels.max(), data.test_labels.max())) + 1
