"""Images with findings: layouts on disk, checks, splits, and the prepared arrays."""
