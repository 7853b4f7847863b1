"""Post-hoc controls, one file each: does a method beat simply moving the boundary?

A component is called with the logits (C, *spatial) and labels (*spatial) of the validation cases,
and returns what to add to every logit vector: a bias (C,). Nothing is retrained. A component that
is fitted on the cases refuses to be called without any by a ValueError.
"""
