"""Panels on several runs side by side."""
