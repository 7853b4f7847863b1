"""The section of the classification study."""
