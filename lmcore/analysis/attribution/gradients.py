"""The gradient by itself, and averaged over random points: gradient norm and gradient SHAP."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lmcore.analysis.attribution.paths import Path, PathScores, differentiate, path_scores, values_at_ends

if TYPE_CHECKING:
    import torch

    from lmcore.analysis.attribution.paths import Function


def gradient_norm(function: "Function", paths: Sequence[Path]) -> list[PathScores]:
    """Return the length (L2) of each token's gradient: how strongly it could change the output, never for or against."""

    def length(gradient: "torch.Tensor", ways: "torch.Tensor") -> "torch.Tensor":
        norms: torch.Tensor = gradient.norm(dim=-1)
        return norms * (ways != 0).any(dim=-1)  # what stays in the baseline scores nothing

    found = differentiate(function, paths, range(len(paths)), np.ones(1), length)
    results = []
    for n in range(len(paths)):
        value = found[n].values[0]
        none = np.full_like(value, np.nan)
        results.append(PathScores(found[n].shares[0], value, none, none, steps=1))
    return results


def gradient_shap(
    function: "Function", paths: Sequence[Path], *, samples: int, noise: float, seed: int
) -> list[PathScores]:
    """Average gradient · (x − baseline) over random points of the way (Lundberg & Lee 2017, Erion et al. 2021).

    Args:
        function: see `integrate_paths`.
        paths: the inputs; one with several baselines has one for each sample.
        samples: points; each lies in a stretch of the way of its own, so that they are spread evenly.
        noise: standard deviation of what is added to the input, as a share of that of its embeddings.
        seed: of the points and the noise; a text has the same ones whatever it is explained beside.
    """
    noisy, points = [], np.empty((len(paths), samples))
    for n, path in enumerate(paths):
        rng = np.random.default_rng(seed)
        points[n] = (rng.permutation(samples) + rng.random(samples)) / samples
        noisy.append(path if not noise else replace(path, noise=_noise(path, samples, noise, rng)))
    slopes = differentiate(function, noisy, range(len(paths)), points)
    ends = values_at_ends(function, paths)
    return [path_scores(slopes[n].shares.mean(axis=0), *ends[n], steps=samples) for n in range(len(paths))]


def _noise(path: Path, samples: int, noise: float, rng: np.random.Generator) -> "torch.Tensor":
    """Draw what is added at each point; a token that stays in the baseline gets none."""
    import torch

    base = path.baseline if path.baseline.dim() == 3 else path.baseline[None]
    moves = (path.x != base).any(dim=-1).any(dim=0)[:, None]
    drawn = torch.from_numpy(rng.standard_normal((samples, *path.x.shape))).to(path.x)
    return drawn * (noise * path.x.std()) * moves
