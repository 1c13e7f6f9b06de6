"""The errors that a user of the zoo can cause, and can mend."""

import difflib
from collections.abc import Iterable


class ZooError(ValueError):
    """Something the user gave cannot be used; the message names the cause and the remedy.

    A `ValueError`, so that code which knows nothing of the zoo catches it too. The command line prints the
    message alone, without a traceback.
    """


def a_kind(value: object) -> str:
    """Returns what a value is, with its article: "a VAE", "an RBM", "an Autoencoder"."""
    kind = type(value).__name__
    vowels = "AEFHILMNORSX" if kind.isupper() else "AEIOaeio"  # those that letters begin with when spelled
    return f"{'an' if kind[0] in vowels else 'a'} {kind}"


def near_miss(word: str, known: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" for the known word closest to `word`, or ""."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
