"""Panels on whether a run is healthy."""
