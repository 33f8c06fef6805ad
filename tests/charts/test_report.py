import json
import re

import numpy as np
import pandas as pd
import pytest

from lmcore.analysis import attribute
from lmcore.analysis.recipes import Recipe, compare_frames, follow
from lmcore.charts.analysis import token_scores
from lmcore.charts.report import Shared, chart_png, chart_svg, html_report, read_report
from lmcore.errors import InputError, UnknownError
from lmcore.types import Target
from tests.analysis.readers import TEXT, reader

NASTY = "</script><script>alert(1)</script> <img src=x onerror=alert(1)> 好 & \"'"


@pytest.fixture(scope="module")
def shared():
    loaded = reader("text-classification")
    options = {"steps": 4, "baseline": "pad"}
    arguments = {
        "text": TEXT,
        "target": {"kind": "class", "label": "good", "against": "bad"},
        "method": "integrated_gradients",
        "options": options,
        "output": "",
    }
    found = attribute(loaded, TEXT, Target("class", "good", against="bad"), **options)
    return loaded, Shared(Recipe("attribution", "models:/x/1", loaded.fingerprint, arguments), found.to_frame())


def report(shared, texts=None):
    figure = token_scores([NASTY, "b"], [1.0, -2.0], title=NASTY, towards="good")
    return html_report(f"Why {NASTY}", texts or {"text": NASTY}, {"Method": NASTY, "Empty": ""}, [figure], shared)


def test_a_report_stands_by_itself_and_runs_nothing(shared):
    page = report(shared[1])
    outside = re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.DOTALL)
    assert "<script" not in outside
    assert "<img" not in page
    assert not re.search(r'(?:src|href)="(?!#)', outside)
    assert "default-src 'none'" in page
    assert "&lt;/script&gt;" in page
    assert "好" in page
    assert "<svg" in page
    assert "Empty" not in page


def test_the_same_numbers_come_out_of_a_report(shared):
    loaded, kept = shared
    again = read_report(report(kept, {"text": TEXT}))
    assert again.recipe == kept.recipe
    assert compare_frames(kept.frame, again.frame).largest < 1e-7
    found = compare_frames(again.frame, follow(again.recipe, loaded))
    assert found.same, found.said


def test_other_weights_are_refused_and_other_numbers_are_said(shared):
    _, kept = shared
    with pytest.raises(InputError, match="has other weights now"):
        follow(kept.recipe, reader("text-classification", seed=1))
    changed = kept.frame.assign(score=kept.frame["score"] + 0.01)
    found = compare_frames(kept.frame, changed)
    assert not found.same
    assert found.largest == pytest.approx(0.01, rel=0.01)
    assert not compare_frames(kept.frame, kept.frame.head(2)).same
    assert "column token" in compare_frames(kept.frame, kept.frame.assign(token="x")).said


def test_numbers_in_words_stay_words(shared):
    _, kept = shared
    frame = pd.DataFrame({"token": ["7", "007"], "score": [0.1, 1 / 3]})
    again = read_report(report(Shared(kept.recipe, frame))).frame
    assert again["token"].tolist() == ["7", "007"]
    assert again["score"].tolist() == pytest.approx([0.1, 1 / 3], abs=1e-14)


@pytest.mark.parametrize(
    "page", ["", "<html></html>", '<script type="application/json" id="lmscope-recipe">{</script>']
)
def test_what_is_no_report_is_refused(page):
    with pytest.raises(InputError, match=r"no recipe of LMScope|recipe is damaged"):
        read_report(page)


def test_a_recipe_of_something_else_is_refused(shared):
    loaded, kept = shared
    values = kept.recipe.to_dict()
    with pytest.raises(UnknownError):
        Recipe.of({**values, "analysis": "os.system"})
    with pytest.raises(InputError, match="not what attribution takes"):
        follow(Recipe.of({**values, "arguments": {"path": "/etc/passwd"}}), loaded)
    assert json.dumps(values)


def test_a_chart_is_a_picture():
    figure = token_scores(["好", "b"], [1.0, -2.0], title="x", towards="good")
    assert chart_png(figure)[:8] == b"\x89PNG\r\n\x1a\n"
    assert chart_svg(figure).startswith("<svg")
    assert np.isfinite(len(chart_svg(figure)))


def test_a_chart_of_many_rows_is_drawn_too():
    import altair as alt

    from lmcore.charts.figure import Figure

    frame = pd.DataFrame({"x": np.arange(6000.0)})
    assert chart_svg(Figure(alt.Chart(frame).mark_point().encode(x="x:Q"), "many", frame)).startswith("<svg")
