"""Panels on points in the plane whose best codebook is known."""
