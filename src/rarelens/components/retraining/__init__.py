"""Ways to train a classifier's head anew on frozen features, one file each.

See `rarelens.components.contracts.Retraining`.
"""
