"""Maps of representations, how far a map can be trusted, and rows that lie far out."""

from typing import TYPE_CHECKING, Any

from lmcore.methods import load_target

if TYPE_CHECKING:
    from lmcore.projection.maps import Projection, project
    from lmcore.projection.outliers import Outliers, find_outliers
    from lmcore.projection.quality import ProjectionQuality, projection_quality

_EXPORTS = {
    "Outliers": "lmcore.projection.outliers",
    "Projection": "lmcore.projection.maps",
    "ProjectionQuality": "lmcore.projection.quality",
    "find_outliers": "lmcore.projection.outliers",
    "project": "lmcore.projection.maps",
    "projection_quality": "lmcore.projection.quality",
}

__all__ = [
    "Outliers",
    "Projection",
    "ProjectionQuality",
    "find_outliers",
    "project",
    "projection_quality",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load_target(f"{_EXPORTS[name]}:{name}")
