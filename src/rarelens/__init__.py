"""rarelens: see what class imbalance does to a network."""

__version__ = "0.1.0"
