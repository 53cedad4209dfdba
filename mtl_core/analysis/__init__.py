"""What became of a task, and why."""
