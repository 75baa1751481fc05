"""Panels on what codes mean in pixels."""
