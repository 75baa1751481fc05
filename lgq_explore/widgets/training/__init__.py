"""Panels on a run while it trains."""
