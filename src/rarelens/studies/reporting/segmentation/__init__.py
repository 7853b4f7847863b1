"""The section of the segmentation study."""
