"""The network, its tasks, data, retention methods, metrics and engines."""
