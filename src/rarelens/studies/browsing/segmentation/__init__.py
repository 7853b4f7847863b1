"""Cases of the segmentation study: test subjects, as volumes of truth, prediction and margin."""
