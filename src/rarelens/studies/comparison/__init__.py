"""Comparison of methods with a baseline, over seeds and subjects."""
