"""How images with findings lie on disk (`rarelens.studies.data.layout.Layout`)."""
