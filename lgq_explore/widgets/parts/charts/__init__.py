"""Plotly charts that change in place, with their tools and what is picked in them."""
