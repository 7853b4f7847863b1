"""Training of segmentation networks on patches."""
