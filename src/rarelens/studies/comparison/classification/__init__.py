"""Compare classifiers, with the baseline and with each other."""
