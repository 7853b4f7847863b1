"""Settings of the segmentation study."""
