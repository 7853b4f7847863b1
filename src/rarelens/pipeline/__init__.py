"""Parameters, checks, lineage, tracking and the command line, above the studies."""
