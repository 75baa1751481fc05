"""Panels on soft assignment at each temperature."""
