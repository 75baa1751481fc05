"""Panels on the shape of a codebook beside its latents."""
