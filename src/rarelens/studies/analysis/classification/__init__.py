"""Analyse one classification cell: from its extract to tidy tables."""
