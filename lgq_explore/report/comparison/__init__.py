"""A comparison of runs as text for terminals, as JSON, as tables, as figures, and as a page."""
