"""Volumes with label maps: reading, preparing, sampling."""
