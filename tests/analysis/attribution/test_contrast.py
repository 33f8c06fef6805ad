from dataclasses import replace

import numpy as np
import pytest

from lmcore.analysis import attribute
from lmcore.analysis.attribution.contrast import contrast
from lmcore.charts.contrast import side_by_side_scores
from lmcore.types import Target
from tests.analysis.readers import TEXT, reader

TARGET = Target("class", "good", against="bad")


def explained(text=TEXT, *, seed=0, **options):
    return attribute(reader("text-classification", seed=seed), text, TARGET, **{"steps": 8, **options})


def test_a_map_beside_itself_differs_nowhere():
    found = contrast(explained(), explained())
    assert found.units["difference"].abs().max() == 0
    assert found.agreement == pytest.approx(1)
    assert (found.units["unit"] == found.units["other"]).all()


def test_two_texts_are_matched_word_by_word():
    first, second = explained(), explained(TEXT.replace("Anna", "Ben").replace(" day 7", " day"))
    found = contrast(first, second)
    rows = {(row.unit, row.other): row for row in found.units.itertuples()}
    assert ("Anna", "Ben") in rows
    assert rows["7", ""].second == 0
    assert found.units["first"].sum() == pytest.approx(float(first.scores.sum()), abs=1e-5)
    assert found.units["second"].sum() == pytest.approx(float(second.scores.sum()), abs=1e-5)
    np.testing.assert_allclose(found.units["difference"], found.units["second"] - found.units["first"])
    assert -1 <= found.agreement <= 1


def test_two_models_are_compared_at_the_same_words():
    found = contrast(explained(), explained(seed=1), unit="token")
    assert (found.units["unit"] == found.units["other"]).all()
    assert found.units["difference"].abs().max() > 0
    figure = side_by_side_scores(found, ("one", "two"))
    drawn = figure.chart.layer[0].data
    assert (drawn["end"] - drawn["zero"]).tolist() == pytest.approx(drawn["score"].tolist())
    reach = drawn.groupby("side", sort=False)[["zero", "end"]].agg(["min", "max"]).to_numpy()
    assert (reach.max(axis=1)[:-1] < reach.min(axis=1)[1:]).all(), "the sides stand apart"
    assert figure.alt.startswith("one beside two. The largest difference is at ")
    assert len(figure.data) == len(found.units)


@pytest.mark.parametrize("largest", [0.9 - 0.8, 999.9999999999999, 0.0, np.nan, np.inf])
def test_any_largest_score_has_an_axis(largest):
    found = contrast(explained("Anna told"), explained("Ben told"))
    units = found.units.assign(first=[largest, *[0.0] * (len(found.units) - 1)], second=0.0, difference=-largest)
    drawn = side_by_side_scores(replace(found, units=units), ("one", "two")).chart.to_dict()
    across = drawn["layer"][0]["encoding"]["x"]
    (low, high), ticks = across["scale"]["domain"], across["axis"]["values"]
    assert len(ticks) == 9, "three for each side and for the difference"
    assert (np.diff([low, *ticks, high]) > 0).all(), "in their order, within the axis"


def test_too_few_words_have_no_agreement():
    assert np.isnan(contrast(explained("Anna told"), explained("Ben told")).agreement)
