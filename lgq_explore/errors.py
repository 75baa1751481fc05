"""The error for unusable input, text that is safe to print in a message, and errors that mean a lack of memory."""

from __future__ import annotations

import unicodedata

# Control characters, format characters (those that turn the direction of writing among them), halves of a
# surrogate pair (bytes of a file name that are no UTF-8), and Unicode's own line and paragraph separators.
_NOT_PLAIN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Format characters that Persian, Hindi and many emoji are written with.
_JOINERS = frozenset({"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}"})

_TORCH_LACKS_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class InputError(ValueError):
    """Bad input: the message (one or two lines) names the value that was given and the remedy.

    The command line prints the message to stderr and exits with status 2; everything else that is raised is a defect.
    """


def printable(text: object) -> str:
    """`text` (a name, a path, a message of another library) in one line, without what a terminal would obey.

    Control characters, line breaks, controls of the direction of writing and bytes that are no UTF-8 appear
    as Python escapes; all other characters stay as they are.

    >>> printable("lake\\x1b[2J\\nat night.png"), printable("café 湖.png")
    ('lake\\\\x1b[2J\\\\nat night.png', 'café 湖.png')
    """
    return "".join(_escaped(letter) for letter in str(text))


def lacks_memory(error: BaseException) -> bool:
    """Whether Python, NumPy or PyTorch ran out of memory. On a CPU, PyTorch only raises a RuntimeError for it."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _TORCH_LACKS_MEMORY)


def _escaped(letter: str) -> str:
    plain = unicodedata.category(letter) not in _NOT_PLAIN or letter in _JOINERS
    return letter if plain else letter.encode("unicode_escape").decode("ascii")
