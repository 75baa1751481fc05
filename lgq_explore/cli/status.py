"""Exit statuses of commands."""

from __future__ import annotations

import signal

BAD_INPUT = 2
INTERRUPTED = 128 + signal.SIGINT
"""130, as in shells. After another signal the status is 128 plus its number, such as 143 for SIGTERM."""
