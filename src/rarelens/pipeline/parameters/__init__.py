"""The whole of ``params.yaml``, and the sections of it that a stage declares."""
