"""The public names of the package, listed in ``__init__.pyi`` and loaded when they are first used.

The stub is the one list: type checkers read it, and lazy_loader makes ``__getattr__``, ``__dir__`` and
``__all__`` of it (PEP 562), so that ``import lgq_explore`` is instant and needs no notebook package.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
