"""Train discrete image tokenizers alike, and see why they use their codebooks as they do.

    config = preset("tiny", "lgq")        a whole recipe: methods are in QUANTIZERS, presets in PRESETS
    run = train(config)                   a run folder; open_run(path or name) opens it again, resume goes on with it
    evaluate(run)                         metrics on pictures that it has not seen
    study(run)                            its tokenizer and held-out pictures, which functions of analysis take
    sweeps.frame("data/sweeps/NAME")      what `lgq-explore sweep` trained: methods, sizes and seeds of one file
    widgets.TrainingMonitor(run=run)      panels for notebooks; so are GeometryExplorer, UsageExplorer and others

README.md begins with the notebooks; the same commands in a shell are listed by ``lgq-explore --help``.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

# The stub __init__.pyi is the one list of public names: type checkers read it, and lazy_loader makes these three of it
# (PEP 562), so that the import is instant and needs no notebook package.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
