"""What is taken out of a segmentation model."""
