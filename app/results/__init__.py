"""Pure functions: tables, what changed, overlays, downloads."""
