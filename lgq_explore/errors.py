"""What is told to a person who gave a value that cannot be used?"""

from __future__ import annotations


class InputError(ValueError):
    """Bad input: the message (one or two lines) names the value that was given and the remedy.

    The command line prints the message to stderr and exits with status 2; everything else that is raised is a defect.
    """
