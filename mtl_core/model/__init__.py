"""The network: trunk, neck and head."""
