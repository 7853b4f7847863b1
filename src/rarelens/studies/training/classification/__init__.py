"""Training of classification networks on images, and of new heads on frozen features."""
