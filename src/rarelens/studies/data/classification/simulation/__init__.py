"""Virtual subjects' slices with findings drawn into them."""
