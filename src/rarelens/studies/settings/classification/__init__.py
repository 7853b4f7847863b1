"""Settings of the classification study."""
