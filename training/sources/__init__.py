"""Where training.prepare_data gets images from."""
