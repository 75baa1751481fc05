"""Check of joint codes given by a user."""

from __future__ import annotations

from collections.abc import Iterable

from lgq_explore.errors import InputError


def checked_codes(codes: Iterable[int], codebook_size: int) -> list[int]:
    """Joint codes, ascending, each once. Raises InputError for one outside 0 … K − 1."""
    distinct = sorted(set(codes))
    for code in distinct:
        if not 0 <= code < codebook_size:
            raise InputError(f"code {code} is outside 0 … {codebook_size - 1}: give joint codes of this codebook")
    return distinct
