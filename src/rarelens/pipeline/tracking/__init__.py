"""MLflow: live runs from training, and the mirror of what stands on disk."""
