"""Ways to train a classifier's head anew on frozen features, one file each.

A file's component takes its options from ``params.yaml`` and makes a function
``(features, labels, seed) -> (head, history)``: features (N, D) and labels (N, C), 1, 0 or NaN
(ignored), of the training images, to a linear layer and rows of step, loss and learning_rate.
It also has ``batch_size`` and, for a CPU, ``threads``.
"""
