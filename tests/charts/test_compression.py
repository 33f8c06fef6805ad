import pandas as pd

from lmcore.charts.compression import tradeoff
from lmcore.training.compression.tradeoff import Tradeoff


def test_the_chart_joins_the_front_and_sizes_points_by_bytes() -> None:
    points = pd.DataFrame(
        {
            "version": [f"models:/a/{n}" for n in (1, 2, 3)], "how": ["original", "int8", "layers 30%"],
            "quality": [0.9, 0.85, 0.8], "low": [0.8, 0.7, 0.6], "high": [1.0, 0.9, 0.9],
            "bytes": [400 << 20, 100 << 20, 300 << 20], "parameters": [100, 100, 70], "zeros": [0, 0, 0],
            "single_ms": [10.0, 5.0, 6.0], "single_p95_ms": [12.0, 6.0, 7.0], "batch_per_second": [9.0, 20.0, 15.0],
            "original": [True, False, False], "front": [True, True, False],
        }
    )  # fmt: skip
    figure = tradeoff(Tradeoff("x", "models:/a/1", "a@1:test", "text-classification", points, {}))
    spec = figure.chart.to_dict()
    front, ends, marks, _ = spec["layer"]
    line = spec["datasets"][front["data"]["name"]]
    assert [row["version"] for row in line] == ["models:/a/2", "models:/a/1"]
    assert ends["encoding"]["y2"]["field"] == "high"
    assert marks["encoding"]["size"]["field"] == "MiB"
    assert marks["encoding"]["shape"]["field"] == "is"
    assert "the quickest, int8, takes 5.0 ms" in figure.alt
    assert figure.alt.endswith("Nothing is both better and quicker than int8, original.")
    assert figure.data is points
