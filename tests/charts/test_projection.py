from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lmcore.charts.projection import COLORS, SELECTION, map_verdict, outlier_scores, scatter, selected_ids
from lmcore.projection.representations import RepresentationMap


def make_map(labels: list[str], rows: int = 20, outliers: int = 2) -> RepresentationMap:
    numbers = np.arange(rows)
    points = pd.DataFrame(
        {
            "id": numbers * 3,
            "x": numbers.astype(float),
            "y": -numbers.astype(float),
            "text": [f"text {n} " + "long " * 100 for n in numbers],
            "label": [labels[n % len(labels)] for n in numbers],
            "predicted": [labels[0]] * rows,
            "correct": ["right" if n % len(labels) == 0 else "wrong" for n in numbers],
            "score": np.linspace(0.5, 1, rows),
            "outlier": numbers.astype(float),
            "is_outlier": numbers >= rows - outliers,
        }
    )
    return RepresentationMap(
        points, 2, rows, {"trustworthiness": 0.97, "continuity": 0.96}, (0.5, 0.25),
        {"method": "pca", "outliers": "knn_distance", "data": "made@1"}, "f",
    )  # fmt: skip


@pytest.mark.parametrize("labels", [["a", "b"], ["物流", "质量"], ["only"], [f"class {n}" for n in range(12)]])
@pytest.mark.parametrize("color", list(COLORS))
def test_the_map(check, labels, color):
    figure = scatter(make_map(labels, rows=24), color)
    spec = check(figure)
    assert [param["name"] for param in spec["params"]] == [SELECTION]
    assert "24 texts by" in figure.alt
    assert ("shape" in spec["encoding"] and "field" in spec["encoding"]["shape"]) == (figure.data[color].nunique() <= 8)


def test_axes_say_what_share_of_the_variance_they_hold(check, axis_titles):
    assert axis_titles(check(scatter(make_map(["a"]), "label"))) == {
        "x": "PCA axis 1 (50.0% of the variance)",
        "y": "PCA axis 2 (25.0% of the variance)",
    }
    assert axis_titles(scatter(replace(make_map(["a"]), explained_variance=()), "label").chart.to_dict()) == {
        "x": "PCA axis 1",
        "y": "PCA axis 2",
    }


def test_the_same_row_has_the_same_number_as_in_the_tables(check):
    spec = check(scatter(make_map(["a"]), "label"))
    assert "row" in [hover["field"] for hover in spec["encoding"]["tooltip"]]
    drawn = pd.DataFrame(next(iter(spec["datasets"].values())))
    assert list(drawn["row"])[:3] == [1, 4, 7]
    assert drawn["text"].str.len().max() <= 120


def test_a_map_of_a_base_model_has_neither_predictions_nor_scores(check):
    whole = make_map(["a", "b"])
    bare = replace(whole, points=whole.points.assign(predicted="", correct="", score=np.nan))
    check(scatter(bare, "label"))
    assert "predicted wrongly" not in map_verdict(bare)


def test_a_brush_selects_the_points_inside():
    points = make_map(["a"]).points
    assert selected_ids(points, {"x": [1.5, 4.5], "y": [-3.5, 0.0]}) == [6, 9]
    assert selected_ids(points, {"x": [4.5, 1.5], "y": [0.0, -3.5]}) == [6, 9]
    assert selected_ids(points, {}) == []
    assert selected_ids(points, {"x": [50, 60], "y": [50, 60]}) == []


@pytest.mark.parametrize("outliers", [0, 1, 2])
def test_how_far_out_the_texts_lie(check, axis_titles, outliers):
    figure = outlier_scores(make_map(["a"], outliers=outliers))
    assert "istance to the nearest rows" in axis_titles(check(figure))["x"]
    assert figure.alt.startswith(f"{outliers} of 20 texts ")


def test_the_verdict():
    said = map_verdict(make_map(["a", "b"]))
    assert "keeps neighbourhoods well: trustworthiness 0.970, continuity 0.960 (1 is best)." in said
    assert "2 texts lie far out in the full space, 1 of them predicted wrongly." in said
    assert "1 text lies far out in the full space, and it is predicted wrongly." in map_verdict(
        make_map(["a", "b"], outliers=1)
    )
    sampled = replace(make_map(["a"]), rows_total=5000, quality={"trustworthiness": 0.7, "continuity": 0.99})
    assert "A sample of 20 out of 5,000 rows is shown." in map_verdict(sampled)
    assert "poorly" in map_verdict(sampled)
    assert map_verdict(replace(make_map(["a"], outliers=0), quality={})) == "No text lies far out in the full space."
