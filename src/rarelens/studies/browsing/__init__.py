"""Cases of a study that can be browsed in the report."""
