"""What is taken out of a trained model."""
