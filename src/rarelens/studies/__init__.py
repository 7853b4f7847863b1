"""Both studies, from data to report: what both use at each package's root, the rest by task."""
