"""Reused pieces of the page."""
