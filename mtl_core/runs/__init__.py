"""Run directories: what training hands to the page, read and written as files."""
