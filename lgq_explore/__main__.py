"""`python -m lgq_explore` is the command `lgq-explore`."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())
