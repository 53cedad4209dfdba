"""The network: backbone, neck and head."""
