"""Trained models as they lie on disk, and their use."""
