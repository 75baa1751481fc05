"""Errors that mean a lack of memory."""

from __future__ import annotations

_TORCH_SAYS = ("can't allocate memory", "not enough memory", "out of memory")


def lacks_memory(error: BaseException) -> bool:
    """Whether Python, numpy or torch raised this for want of memory; torch has only a RuntimeError for it on a CPU."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _TORCH_SAYS)
