"""Taking views along: every report that a view offers is made again, from the workspace alone, to the same numbers."""

from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st

from lmcore.analysis import SuiteStore, make_suite
from lmcore.analysis.recipes import Stored, compare_frames, follow
from lmcore.charts.report import read_report
from lmcore.data.store import DatasetStore
from lmcore.models import load_model
from lmcore.settings import Settings

PAGE = "3_Analyse.py"
TEXT = "we had some bread and soup today"
ATTENTION, CAUSAL, EXAMPLES = ({"analyse_view": view} for view in ("Attention", "Causal tests", "Examples"))
PROBING, CONCEPTS = {"analyse_view": "Probing"}, {"analyse_view": "Concepts"}
SHARED: dict[str, tuple[dict[str, str], str]] = {
    "attribution": ({"analyse_view": "Why", "analyse_method": "input_x_gradient"}, ""),
    "comparison": ({"analyse_view": "Compare", "compare_method": "input_x_gradient"}, ""),
    "two_heads": ({"analyse_view": "Compare", "compare_what": "heads"}, ""),
    "attention rollout": (ATTENTION, ""),
    "roles": ({**ATTENTION, "analyse_attention_part": "Roles"}, ""),
    "flow": ({**ATTENTION, "analyse_attention_part": "Flow"}, ""),
    "contributions": ({**ATTENTION, "analyse_attention_part": "Contributions"}, ""),
    "importance": ({**ATTENTION, "analyse_attention_part": "Importance"}, "Judge the heads"),
    "lens logit_parts": ({"analyse_view": "Output reading"}, ""),
    "patching": ({**CAUSAL, "analyse_patch": "heads"}, "Patch"),
    "ablation": ({**CAUSAL, "analyse_test": "Ablation"}, "Take out"),
    "steering": ({**CAUSAL, "analyse_test": "Steering"}, "Steer"),
    "activations": ({"analyse_view": "Activations"}, ""),
    "alignment": ({"analyse_view": "Alignment"}, ""),
    "edits": ({**EXAMPLES, "analyse_edit_budget": "30"}, ""),
    "nearest_rows": ({**EXAMPLES, "analyse_examples": "Nearest rows"}, ""),
    "influential_rows": ({**EXAMPLES, "analyse_examples": "Influential rows"}, ""),
    "suite_run": ({"analyse_view": "Suites"}, "Run models:/topics/1"),
    "neurons": ({"analyse_view": "Neurons"}, ""),
    "probes": (PROBING, ""),
    "head_map": ({**PROBING, "probing_seen": "Map of heads", "probing_what": "attention"}, ""),
    "concepts": ({**CONCEPTS, "concepts_sets": "20", "concepts_texts": "10"}, ""),
    "factors": ({**CONCEPTS, "concepts_seen": "Factors", "concepts_factors": "2"}, ""),
    "similarity": ({"analyse_view": "Similarity"}, ""),
}


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], bytes]]:
    """What each button of a report would download, by the analysis."""
    found: dict[str, Callable[[], bytes]] = {}
    drawn = st.download_button

    def button(label: str, **given: Any) -> bool:
        key = given["key"]
        if key.startswith("report_"):
            found[key.removeprefix("report_")] = given["data"]
        return bool(drawn(label, **given))

    monkeypatch.setattr(st, "download_button", button)
    return found


@pytest.mark.parametrize("shared", list(SHARED))
def test_the_reports_of_a_view_are_made_again(
    shared: str, open_app: Any, filled: Any, home: Settings, pages: dict[str, Callable[[], bytes]]
) -> None:
    query, pressed = SHARED[shared]
    if shared == "suite_run":
        data = DatasetStore(home.workspace).load(filled.split)
        SuiteStore(home.workspace, filled.split).save(make_suite(data, name="small", rows=2, edits=("typos",)))
    app = open_app(PAGE, version="models:/topics/1", text=TEXT, **query)
    if pressed:
        app = next(button for button in app.button if button.label.startswith(pressed)).click().run()
    assert not app.exception
    assert not app.error
    assert set(pages) == set(shared.split())
    loaded = load_model("models:/topics/1", settings=home)
    for page in pages.values():
        read = read_report(page().decode())
        again = compare_frames(read.frame, follow(read.recipe, loaded, Stored.of(home)))
        assert again.same, again.said
