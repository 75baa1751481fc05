"""The command line `lgq-explore`, a thin layer over the package; each command imports what it needs."""

from __future__ import annotations

from .entry import main, parser

__all__ = ["main", "parser"]
