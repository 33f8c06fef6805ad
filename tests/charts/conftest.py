"""What every chart has to fulfil, read from its specification."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lmcore.charts.figure import Figure


def _parts(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield spec
    for layer in spec.get("layer", []):
        yield from _parts(layer)


def _axis_titles(spec: dict[str, Any]) -> dict[str, str]:
    found = {}
    for part in _parts(spec):
        for channel in ("x", "y"):
            encoding = part.get("encoding", {}).get(channel, {})
            title = encoding.get("title") or (encoding.get("axis") or {}).get("title")
            if title:
                found[channel] = title
    return found


def _scales(spec: dict[str, Any]) -> list[dict[str, Any]]:
    encodings = [encoding for part in _parts(spec) for encoding in part.get("encoding", {}).values()]
    return [encoding["scale"] for encoding in encodings if isinstance(encoding, dict) and encoding.get("scale")]


def _check(figure: Figure) -> dict[str, Any]:
    """Hold a figure to the rules of all charts; returns its specification."""
    spec = figure.chart.to_dict()
    assert any(part.get("title") for part in _parts(spec)), "no title"
    assert set(_axis_titles(spec)) == {"x", "y"}, "an axis has no title"
    assert not any("range" in scale or "scheme" in scale for scale in _scales(spec)), "colours of its own"
    for part in _parts(spec):
        color = part.get("encoding", {}).get("color", {})
        assert "value" not in color, "a colour of its own"
        mark = part.get("mark", {})
        assert not isinstance(mark, dict) or not {"color", "fill", "stroke"} & mark.keys(), "a colour of its own"
    assert "NaN" not in figure.chart.to_json()
    assert re.fullmatch(r"\S.*\.", figure.alt, re.DOTALL), "the words do not end as a sentence"
    assert len(figure.data.columns) > 0
    return spec


@pytest.fixture
def check() -> Callable[[Figure], dict[str, Any]]:
    return _check


@pytest.fixture
def axis_titles() -> Callable[[dict[str, Any]], dict[str, str]]:
    return _axis_titles
