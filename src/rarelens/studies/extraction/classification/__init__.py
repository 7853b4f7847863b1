"""What is taken out of a trained classifier: scores, unit activations and saliency maps."""
