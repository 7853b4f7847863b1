"""Arrays in, numbers out: what is said of predictions and of networks; no files, no parameters."""
