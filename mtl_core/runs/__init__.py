"""Run directories: what training hands to the page, and who reads it."""
