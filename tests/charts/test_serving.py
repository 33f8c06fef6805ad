import numpy as np
import pandas as pd
import pytest

from lmcore.charts.figure import Figure
from lmcore.charts.serving import (
    MOST_BARS,
    MOST_LABELS,
    label_shares,
    latency_quantiles,
    probability_bars,
    request_counts,
)
from lmcore.serving.monitor import ServingStats

START = pd.Timestamp("2026-03-01 10:00", tz="UTC")


def make_stats(offsets: list[int]) -> ServingStats:
    """One answered request in each minute, and a second one, an error, in the first."""
    count = len(offsets)
    minutes = pd.DataFrame(
        {
            "minute": [START + pd.Timedelta(minutes=offset) for offset in offsets],
            "requests": [2] + [1] * (count - 1),
            "errors": [1] + [0] * (count - 1),
            "texts": 1,
            "p50_ms": np.arange(count) + 10.0,
            "p95_ms": np.arange(count) + 20.0,
            "p99_ms": np.arange(count) + 30.0,
        }
    )
    latency = {"p50": 10.0, "p95": 20.0, "p99": 30.0}
    return ServingStats(0.0, count + 1, 1, count, latency, {"a": 0.75, "b": 0.25}, {"models:/m/1": count}, minutes)


def axes(spec: dict) -> dict[str, str]:
    found = {}
    for layer in (spec, *spec.get("layer", [])):
        for channel in ("x", "y"):
            encoding = layer.get("encoding", {}).get(channel, {})
            title = encoding.get("title") or (encoding.get("axis") or {}).get("title")
            if title:
                found[channel] = title
    return found


def figures() -> list[Figure]:
    stats = make_stats([0, 1, 5])
    return [
        probability_bars({"a": 0.2, "b": 0.8}),
        label_shares(stats.labels),
        request_counts(stats),
        latency_quantiles(stats),
    ]


@pytest.mark.parametrize("figure", figures(), ids=["probability", "labels", "requests", "latency"])
def test_a_chart_has_titles_units_words_and_no_colours_of_its_own(figure):
    spec = figure.chart.to_dict()
    title = spec.get("title") or spec["layer"][0].get("title")
    assert title
    assert set(axes(spec)) == {"x", "y"}
    assert "#" not in figure.chart.to_json(indent=None).replace("vega-lite", "")
    assert figure.alt.endswith(".")
    assert not figure.data.empty


def test_probabilities_are_drawn_from_the_highest_to_the_lowest():
    figure = probability_bars({"a": 0.2, "b": 0.7, "c": 0.1})
    assert figure.chart.to_dict()["layer"][0]["encoding"]["y"]["sort"] == ["b", "a", "c"]
    assert figure.chart.to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 1]
    assert "b 0.700" in figure.alt


def test_of_many_classes_the_most_probable_are_drawn_and_all_are_downloaded():
    figure = probability_bars({f"class {i}": 1 / 77 for i in range(77)})
    (drawn,) = figure.chart.to_dict()["datasets"].values()
    assert len(drawn) == MOST_LABELS
    assert len(figure.data) == 77
    assert "20 most probable of 77" in figure.chart.to_dict()["layer"][0].get(
        "title", figure.chart.to_dict().get("title")
    )


def test_minutes_without_a_request_count_as_none():
    data = request_counts(make_stats([0, 3])).data
    answered = data[data["outcome"] == "answered"]
    assert list(answered["requests"])[-4:] == [1, 0, 0, 1]
    assert list(data[data["outcome"] == "error"]["requests"])[-4:] == [1, 0, 0, 0]
    assert data["requests"].sum() == 3
    assert ((data["end"] - data["time"]) == pd.Timedelta(minutes=1)).all()


def test_errors_stand_on_the_answered_requests():
    drawn = pd.DataFrame(next(iter(request_counts(make_stats([0])).chart.to_dict()["datasets"].values())))
    ends = drawn[drawn["requests"] > 0].set_index("outcome")[["low", "high"]]
    assert ends.loc["answered"].tolist() == [0, 1]
    assert ends.loc["error"].tolist() == [1, 2]


def test_a_single_minute_has_a_time_axis_around_it():
    data = request_counts(make_stats([0])).data
    assert data["time"].nunique() == 30
    assert data["time"].max() == START


def test_a_long_time_is_drawn_in_few_bars_that_hold_every_request():
    offsets = list(range(0, 3 * 24 * 60, 7))
    figure = request_counts(make_stats(offsets))
    assert figure.data["requests"].sum() == len(offsets) + 1
    assert figure.data["time"].nunique() <= MOST_BARS
    assert "Requests per hour" in str(figure.chart.to_dict()["title"])


def test_joined_minutes_show_the_slowest_of_them():
    figure = latency_quantiles(make_stats(list(range(200))))
    p95 = figure.data[figure.data["quantile"] == "p95"]
    assert list(p95["latency"])[:2] == [24.0, 29.0]
    assert "slowest minute of each 5 minutes" in str(figure.chart.to_dict())


def test_a_pause_breaks_the_latency_line():
    chart = latency_quantiles(make_stats([0, 3])).chart
    drawn = pd.DataFrame(next(iter(chart.to_dict()["datasets"].values())))
    assert (
        drawn.groupby("quantile")["latency"]
        .apply(lambda v: list(v.isna())[-4:])
        .map(lambda v: v == [False, True, True, False])
        .all()
    )


def test_requests_that_all_failed_have_no_latency():
    stats = make_stats([0])
    empty = stats.minutes.assign(p50_ms=np.nan, p95_ms=np.nan, p99_ms=np.nan)
    failed = ServingStats(0.0, 2, 2, 0, {}, {}, {"models:/m/1": 2}, empty)
    assert "none was answered" in latency_quantiles(failed).alt


def test_the_most_frequent_label_is_named_in_words():
    assert label_shares({"b": 0.25, "a": 0.75}).alt == "a is predicted most often: 75.0% of the texts."
