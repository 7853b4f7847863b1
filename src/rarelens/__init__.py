"""rarelens: see what class imbalance does to a network.

Everything is imported when it is first asked for. Objectives, regularisers, networks, sampling,
adjustments and `LogitShift` need torch and NumPy alone; other names say which extra they need, if
it is missing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rarelens.components import adjustments, networks, objectives, regularisers, sampling
    from rarelens.measures import statistics
    from rarelens.measures.dissection import UnitDissection, dissect
    from rarelens.measures.lesion_detection import LesionDetection
    from rarelens.measures.linear_cka import LinearCKA
    from rarelens.measures.logit_shift import LogitShift
    from rarelens.measures.saliency_alignment import SaliencyAlignment
    from rarelens.measures.subject_overlap import SubjectOverlap
    from rarelens.studies.diagnosis.diagnosis import Diagnosis
    from rarelens.studies.models.prediction import load_model, predict

__version__ = "0.1.0"
__all__ = [
    "Diagnosis",
    "LesionDetection",
    "LinearCKA",
    "LogitShift",
    "SaliencyAlignment",
    "SubjectOverlap",
    "UnitDissection",
    "__version__",
    "adjustments",
    "dissect",
    "load_model",
    "networks",
    "objectives",
    "predict",
    "regularisers",
    "sampling",
    "statistics",
]

# Where a name is that is no package of components, and the extra that it needs.
_OTHERS = {
    "Diagnosis": ("studies.diagnosis.diagnosis", "pipeline"),
    "LesionDetection": ("measures.lesion_detection", "measures"),
    "LinearCKA": ("measures.linear_cka", "measures"),
    "LogitShift": ("measures.logit_shift", "measures"),
    "SaliencyAlignment": ("measures.saliency_alignment", "measures"),
    "SubjectOverlap": ("measures.subject_overlap", "measures"),
    "UnitDissection": ("measures.dissection", "measures"),
    "dissect": ("measures.dissection", "measures"),
    "load_model": ("studies.models.prediction", "pipeline"),
    "predict": ("studies.models.prediction", "pipeline"),
    "statistics": ("measures.statistics", "measures"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    path, extra = _OTHERS.get(name, (f"components.{name}", "monai"))
    try:
        module = import_module(f"{__name__}.{path}")
    except ModuleNotFoundError as error:
        raise ImportError(f"{name}: {error}; pip install 'rarelens[{extra}]'") from error
    return module if path.endswith(f".{name}") else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
