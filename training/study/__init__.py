"""What training.compare is made of."""
