"""Soft assignment of queries to keys in linear memory, with analytic gradients, by several backends."""

from __future__ import annotations

from .autograd import soft_assign

__all__ = ["soft_assign"]
