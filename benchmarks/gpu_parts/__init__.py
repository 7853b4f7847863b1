"""The parts of ``benchmarks/gpu.py``, which says what each one is."""
