"""How volumes with label maps lie on disk (`rarelens.studies.data.layout.Layout`)."""
