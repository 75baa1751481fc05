"""The error for unusable input, the text of messages, and errors that mean a lack of memory."""

from __future__ import annotations

import difflib
import shlex
import unicodedata
from collections.abc import Iterable

# Control characters, format characters (some change the direction of writing), surrogates (bytes of a file name
# that are not valid UTF-8), and Unicode's own line and paragraph separators.
_NOT_PLAIN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Format characters that are part of Persian, Hindi and many emoji.
_JOINERS = frozenset({"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}"})

_TORCH_LACKS_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class InputError(ValueError):
    """Bad input: the message (one or two lines) names the value that was given and the remedy.

    The command line prints the message to stderr and exits with status 2. Any other exception is a defect.
    """


class BrokenPackage(RuntimeWarning):
    """Another package registers what can't be loaded; everything else works. The command line prints it in a line."""


def printable(text: object) -> str:
    """`text` (a name, a path, a message of another library) in one line, with terminal controls escaped.

    Control characters, line breaks, characters that change the direction of writing, and bytes that are not valid
    UTF-8 appear as Python escapes. All other characters are unchanged.

    >>> printable("lake\\x1b[2J\\nat night.png"), printable("café 湖.png")
    ('lake\\\\x1b[2J\\\\nat night.png', 'café 湖.png')
    """
    return "".join(_escaped(letter) for letter in str(text))


def in_command(text: object) -> str:
    """`text`, printable, as one word of a command that a shell reads: quoted where it has to be.

    >>> in_command("data/runs/lgq"), in_command("data/runs/<img src=x>")
    ('data/runs/lgq', "'data/runs/<img src=x>'")
    """
    return shlex.quote(printable(text))


def near_matches(name: str, known: Iterable[str], most: int = 2) -> str:
    """A question in brackets whether one of at most `most` near matches was meant; empty if there is none."""
    close = difflib.get_close_matches(name, list(known), n=most)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def lacks_memory(error: BaseException) -> bool:
    """Whether Python, NumPy or PyTorch ran out of memory. On a CPU, PyTorch only raises a RuntimeError for it."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _TORCH_LACKS_MEMORY)


def _escaped(letter: str) -> str:
    plain = unicodedata.category(letter) not in _NOT_PLAIN or letter in _JOINERS
    return letter if plain else letter.encode("unicode_escape").decode("ascii")
