"""The page: tabs connect, services compute, figures and overlays are pure functions."""
