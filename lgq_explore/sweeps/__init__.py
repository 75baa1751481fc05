"""Sweeps: methods × codebook sizes × seeds × trials from one file, trained, resumed, tuned and evaluated alike.

lgq-explore sweep FILE --jobs 2           trains what is not done, from a shell
lgq_explore.sweeps.frame(FOLDER)          its cells with their numbers, at any time
lgq_explore.sweeps.photographs(FOLDER)    the numbers of each held-out photograph
lgq_explore.sweeps.summaries(FOLDER)      all that is known of each finished cell
"""

from __future__ import annotations

from .frame import frame, photographs, summaries
from .plan import Plan
from .processes import Workers
from .running import Outcome, run_sweep

__all__ = ["Outcome", "Plan", "Workers", "frame", "photographs", "run_sweep", "summaries"]
