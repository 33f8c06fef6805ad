import tomllib
from pathlib import Path

from lmcore.charts.analysis import token_scores
from lmcore.charts.palette import CATEGORIES, SEQUENCE, TEXT, TWO_WAYS, coloured
from lmcore.charts.report import chart_svg


def test_the_colours_are_those_of_the_pages_in_the_light_theme():
    settings = tomllib.loads((Path(__file__).parents[2] / ".streamlit/config.toml").read_text())["theme"]["light"]
    assert list(CATEGORIES) == settings["chartCategoricalColors"]
    assert list(SEQUENCE) == settings["chartSequentialColors"]
    assert list(TWO_WAYS) == settings["chartDivergingColors"]
    assert settings["textColor"] == TEXT


def test_a_chart_that_is_taken_along_has_them():
    drawn = chart_svg(token_scores(["good", "late"], [1.0, -2.0], title="Why", towards="good"))
    assert CATEGORIES[0] in drawn
    assert CATEGORIES[1] in drawn
    assert "#4c78a8" not in drawn


def test_what_a_chart_sets_itself_is_kept():
    found = coloured({"mark": "bar", "config": {"text": {"color": "red"}, "view": {"stroke": None}}})
    assert found["config"]["text"] == {"color": "red"}
    assert found["config"]["view"] == {"stroke": None}
    assert found["config"]["range"]["category"] == list(CATEGORIES)
