"""What training.export is made of."""
