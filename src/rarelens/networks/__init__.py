"""Segmentation networks, one file each.

A file's component takes ``in_channels`` and ``out_channels`` from the dataset and the rest from
``params.yaml``, and returns a module that maps images (B, in_channels, X, Y, Z) to logits
(B, out_channels, X, Y, Z).
"""
