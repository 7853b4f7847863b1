"""Post-hoc controls, one file each: does a method beat simply moving the boundary?

See `rarelens.components.contracts.Adjustment`. The classes are imported when they are first asked
for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rarelens.components._lazy import exports

if TYPE_CHECKING:
    from rarelens.components.adjustments.logit_adjustment import LogitAdjustment
    from rarelens.components.adjustments.threshold import Threshold

__all__ = ["LogitAdjustment", "Threshold"]

__getattr__ = exports(__name__)
