"""Reports on runs outside of a notebook."""
