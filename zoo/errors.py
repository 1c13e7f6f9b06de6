"""The errors that a user of the zoo can cause, and can mend."""

import difflib
from collections.abc import Iterable


class ZooError(ValueError):
    """Something the user gave cannot be used; the message names the cause and the remedy.

    A `ValueError`, so that code which knows nothing of the zoo catches it too. The command line prints the
    message alone, without a traceback.
    """


def near_miss(word: str, known: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" for the known word closest to `word`, or ""."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
