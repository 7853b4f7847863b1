"""Network dissection: which units respond to which concept, and what that needs to be fast."""

from rarelens.measures.dissection.dissection import Dissection, dissect
from rarelens.measures.dissection.unit_dissection import UnitDissection

__all__ = ["Dissection", "UnitDissection", "dissect"]
