"""Figures on several runs side by side."""

from __future__ import annotations

from .agreement import publish_agreement
from .disagreement import draw_disagreement, mark_disagreement, publish_disagreement
from .group_numbers import draw_group_numbers, publish_group_numbers
from .live_rate_distortion import draw_rate_distortion, mark_rate_distortion
from .numbered import Numbered, rings
from .pair_pictures import PairPicture, draw_no_pictures, draw_pair_pictures, publish_pair_pictures
from .rate_distortion import publish_pruning, publish_rate_distortion

__all__ = [
    "Numbered",
    "PairPicture",
    "draw_disagreement",
    "draw_group_numbers",
    "draw_no_pictures",
    "draw_pair_pictures",
    "draw_rate_distortion",
    "mark_disagreement",
    "mark_rate_distortion",
    "publish_agreement",
    "publish_disagreement",
    "publish_group_numbers",
    "publish_pair_pictures",
    "publish_pruning",
    "publish_rate_distortion",
    "rings",
]
