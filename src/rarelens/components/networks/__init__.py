"""Networks, one file each.

A file's component takes ``in_channels`` and ``out_channels`` from the dataset and the rest from
``params.yaml``, and returns a module. One for segmentation maps images (B, in_channels, X, Y, Z)
to logits (B, out_channels, X, Y, Z). One for classification is a `Classifier`: it maps images
(B, in_channels, H, W) to logits (B, out_channels).
"""
