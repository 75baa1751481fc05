"""Exit statuses of commands."""

from __future__ import annotations

import signal

BAD_INPUT = 2
INTERRUPTED = 128 + signal.SIGINT
"""As shells have it: 130. Another signal that ended the command counts by its own number: 143 for SIGTERM."""
