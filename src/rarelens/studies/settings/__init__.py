"""Typed, validated parameters: the models of ``params.yaml``, a module for each part of it.

Every class refuses unknown keys, wrong types and impossible values. `rarelens.pipeline.parameters`
reads the file and hands each stage the sections that it declares, and no others.
"""
