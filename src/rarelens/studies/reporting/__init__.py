"""The report: figures, one self-contained page, and data for DVC's plots."""
