"""Reports on runs for use outside of notebooks."""
