"""The loop that trains a network stage by stage, as a library."""
