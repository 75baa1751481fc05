"""Panels on how often codes are used."""
