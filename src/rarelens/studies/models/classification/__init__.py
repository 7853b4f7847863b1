"""Trained classifiers."""
