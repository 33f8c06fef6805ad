"""Integrated gradients of a plain function, as exact as the function allows."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lmcore.analysis.attribution.quadrature import gauss_legendre
from lmcore.errors import InputError, OptionError

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-8
_STRETCHES = 1000
_DOUBLE = 8
_ROUNDED = 1e-5  # what floats of half the size can be right to
_UNSETTLED = 1e-3


def integrated_gradients(
    function: "Callable[[torch.Tensor], torch.Tensor]",
    x: Any,
    baseline: Any = None,
    *,
    steps: int | None = None,
    tolerance: float = TOLERANCE,
) -> np.ndarray:
    """Integrate a function's gradient from a baseline to an input (Sundararajan, Taly & Yan 2017).

    This is the bare mathematics; `attribute` does the same for a model and a text. Without ``steps`` the way is halved where
    the gradient changes until the integral is right, so that kinks such as a ReLU's are found wherever they are.

    Args:
        function: takes a tensor of the shape of ``x`` and returns a single number, made of it by torch.
        x: the input, of any shape; float64 unless it is a tensor of another floating type.
        baseline: where the way begins, of the same shape or a number; zeros where None.
        steps: a fixed number of Gauss–Legendre points; None for as many as are needed.
        tolerance: how far the scores may be off, without ``steps``.

    Returns:
        The share of each value of ``x``, float64 of its shape: positive where it raises the function, negative where it lowers
        it. They sum to function(x) − function(baseline).

    Raises:
        InputError: the baseline does not fit the input; the function gives no single number, one without a gradient, or one
            that is not finite; or the integral does not settle.
        OptionError: ``steps`` is below 1, or ``tolerance`` is not above 0.
    """
    if steps is not None and steps < 1:
        raise OptionError(f"The number of steps is {steps}: give 1 or more, or None.")
    if not tolerance > 0:
        raise OptionError(f"The tolerance is {tolerance!r}: give a number above 0.")
    start, way = _way(x, baseline)

    def slope(share: float) -> np.ndarray:
        return _gradient(function, start + share * way).reshape(-1)

    if steps is None:
        mean = _integral(slope, tolerance if way.element_size() == _DOUBLE else max(tolerance, _ROUNDED))
    else:
        points, weights = gauss_legendre(steps)
        mean = weights @ np.stack([slope(point) for point in points.tolist()])
    scores: np.ndarray = mean.reshape(tuple(way.shape)) * way.detach().double().cpu().numpy()
    return scores


def _integral(slope: Callable[[float], np.ndarray], tolerance: float) -> np.ndarray:
    """Integrate from 0 to 1, halving stretches where two rules differ (Gauss–Kronrod).

    Raises:
        InputError: it is not near any value after all the halving.
    """
    from scipy.integrate import quad_vec

    mean, missed = quad_vec(slope, 0.0, 1.0, epsabs=tolerance, epsrel=tolerance, norm="max", limit=_STRETCHES)
    if missed > _UNSETTLED * max(1.0, float(np.abs(mean).max(initial=0.0))):
        raise InputError("The gradient's integral does not settle on the way from the baseline: choose another one.")
    found: np.ndarray = mean
    return found


def _way(x: Any, baseline: Any) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return where the way begins, and the way to the input."""
    import torch

    end = _tensor(x, "input")
    start = torch.zeros_like(end) if baseline is None else _tensor(baseline, "baseline").to(end)
    if start.dim() and start.shape != end.shape:
        raise InputError(
            f"The baseline has the shape {tuple(start.shape)} and the input {tuple(end.shape)}: give the same, or a number."
        )
    start = start.expand_as(end)
    return start, end - start


def _tensor(values: Any, name: str) -> "torch.Tensor":
    import torch

    try:
        found = values.detach() if isinstance(values, torch.Tensor) else torch.from_numpy(np.array(values, dtype=float))
    except (TypeError, ValueError) as error:
        raise InputError(f"The {name} is no array of numbers: {error}.") from error
    found = found if found.is_floating_point() else found.double()
    if not torch.isfinite(found).all():
        raise InputError(f"The {name} has a value that is not finite: give finite numbers.")
    return found


def _gradient(function: "Callable[[torch.Tensor], torch.Tensor]", point: "torch.Tensor") -> np.ndarray:
    import torch

    leaf = point.clone().requires_grad_(True)
    with torch.enable_grad():
        value = function(leaf)
        if not isinstance(value, torch.Tensor) or value.numel() != 1:
            shape = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
            raise InputError(f"The function gives {shape}: give one that returns a tensor of a single number.")
        if not value.requires_grad:
            raise InputError("The function's value has no gradient: make it with torch of the tensor that it is given.")
        (gradient,) = torch.autograd.grad(value.sum(), leaf, materialize_grads=True)
    if not (torch.isfinite(value).all() and torch.isfinite(gradient).all()):
        raise InputError("The function or its gradient is not finite on the way from the baseline: choose another one.")
    found: np.ndarray = gradient.double().cpu().numpy()
    return found
