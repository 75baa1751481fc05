"""Pieces of the state of a panel, and the inputs that change them."""
