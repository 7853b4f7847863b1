"""Analyse one segmentation cell: from its extract to tidy tables."""
