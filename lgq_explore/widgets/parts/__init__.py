"""Parts that panels of several topics are made of."""
