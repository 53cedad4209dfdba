"""Data: found, checked, read, augmented; and rendered where there is none."""
