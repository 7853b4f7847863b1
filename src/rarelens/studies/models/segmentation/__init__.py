"""Trained segmentation models, and label maps from them."""
