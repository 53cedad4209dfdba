"""Raw outputs to answers, in NumPy: serving needs no PyTorch."""
