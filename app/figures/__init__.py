"""Figures: each a pure function from a data frame to a Plotly figure."""
