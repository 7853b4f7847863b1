"""Compare segmentation methods with the baseline."""
