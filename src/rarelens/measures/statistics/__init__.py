"""Means, intervals and tests over training runs and patients."""
