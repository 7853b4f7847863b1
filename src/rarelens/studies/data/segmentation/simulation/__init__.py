"""Virtual subjects with lesions drawn into their volumes."""
