"""ONNX graphs of a network: exported, rewritten, kept and run."""
