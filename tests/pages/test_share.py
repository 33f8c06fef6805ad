"""Taking views along: every report that a view offers is made again, from the workspace alone, to the same numbers."""

from collections.abc import Callable
from typing import Any

import pytest

from lmcore.analysis import SuiteStore, make_suite, run_suite, word_influence
from lmcore.analysis.over_data.kept import keep as keep_found
from lmcore.analysis.over_data.word_influence import KIND, InfluenceConfig, influence_tables
from lmcore.analysis.recipes import Stored, compare_frames, follow
from lmcore.charts.report import read_report
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.models import load_model
from lmcore.models.registry import ModelRegistry
from lmcore.settings import Settings
from tests.analysis.readers import CASES
from tests.analysis.recipes.cases import WORDS
from tests.pages.test_analyse_tasks import keep
from tests.tasks.linked import reversed_frame

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
    "alignment_errors": ({"analyse_view": "Alignment", "alignment_of": "data"}, "Measure the layers"),
    "edits": ({**EXAMPLES, "analyse_edit_budget": "30"}, ""),
    "nearest_rows": ({**EXAMPLES, "analyse_examples": "Nearest rows"}, ""),
    "influential_rows": ({**EXAMPLES, "analyse_examples": "influence", "analyse_answer": "weather"}, ""),
    "suite_run": ({"analyse_view": "Suites"}, "Run models:/topics/1"),
    "neurons": ({"analyse_view": "Neurons"}, ""),
    "probes": (PROBING, ""),
    "head_map": ({**PROBING, "probing_seen": "Map of heads", "probing_what": "attention"}, ""),
    "concepts": ({**CONCEPTS, "concepts_sets": "20", "concepts_texts": "10"}, ""),
    "factors": ({**CONCEPTS, "concepts_seen": "Factors", "concepts_factors": "2"}, ""),
    "similarity": ({"analyse_view": "Similarity"}, ""),
}


@pytest.mark.parametrize("shared", list(SHARED))
def test_the_reports_of_a_view_are_made_again(
    shared: str, open_app: Any, filled: Any, home: Settings, pages: dict[str, Callable[[], bytes]]
) -> None:
    query, pressed = SHARED[shared]
    if shared == "suite_run":
        data = DatasetStore(home.workspace).load(filled.split)
        SuiteStore(home.workspace, filled.split).save(make_suite(data, name="small", rows=2, edits=("typos",)))
    if shared == "alignment_errors":
        DatasetStore(home.workspace).save(TextDataset("linked", "text-alignment", reversed_frame()))
    app = open_app(PAGE, version="models:/topics/1", text=TEXT, **query)
    if pressed:
        app = next(button for button in app.button if button.label.startswith(pressed)).click().run()
    checked(app, shared, pages, home, "models:/topics/1")


@pytest.mark.parametrize(
    ("shared", "query"),
    [
        ("every_token", {"analyse_method": "input_x_gradient", "analyse_what": "all"}),
        ("probabilities", {"analyse_view": "probabilities"}),
    ],
)
def test_the_reports_of_what_was_written_are_made_again(
    shared: str, query: dict[str, str], open_app: Any, home: Settings, pages: dict[str, Callable[[], bytes]]
) -> None:
    version = keep(home.workspace, "text-generation")
    app = open_app(PAGE, version=version, text=CASES["text-generation"][0], analyse_output=" on day 7", **query)
    checked(app, shared, pages, home, version)


def test_the_report_of_two_versions_on_a_suite_is_made_again(
    open_app: Any, filled: Any, home: Settings, pages: dict[str, Callable[[], bytes]]
) -> None:
    registry = ModelRegistry(home.workspace)
    other = str(registry.register("topics", registry.get(filled.version).folder, task="text-classification").ref)
    suites = SuiteStore(home.workspace, filled.split)
    data = DatasetStore(home.workspace).load(filled.split)
    suite = suites.save(make_suite(data, name="small", rows=2, edits=("typos",)))
    loaded = load_model(filled.version, settings=home)
    for version in (filled.version, other):
        suites.save_run(run_suite(loaded, suite, version=version))
    query = {"analyse_view": "suites", "analyse_suite_against": other}
    checked(open_app(PAGE, version=filled.version, **query), "suite_run suite_comparison", pages, home, filled.version)


def test_the_report_of_words_is_made_again(
    open_app: Any, filled: Any, home: Settings, pages: dict[str, Callable[[], bytes]]
) -> None:
    config = InfluenceConfig(filled.version, f"{filled.split}:test", **WORDS)
    data = DatasetStore(home.workspace).load(config.data)
    found = word_influence(load_model(filled.version, settings=home), data, config)
    keep_found(home.workspace, KIND, config.id, influence_tables(found))
    query = {f"words_{name}": str(value) for name, value in WORDS.items()}
    app = open_app(PAGE, version=filled.version, dataset=filled.split, analyse_view="words", **query)
    checked(app, "words", pages, home, filled.version)


def checked(app: Any, shared: str, pages: dict[str, Callable[[], bytes]], home: Settings, version: str) -> None:
    """Make what each report on a page has again, from the report alone, and hold the numbers against each other."""
    assert not app.exception
    assert not app.error
    assert set(pages) == set(shared.split())
    loaded = load_model(version, settings=home)
    for page in pages.values():
        read = read_report(page().decode())
        again = compare_frames(read.frame, follow(read.recipe, loaded, Stored.of(home)))
        assert again.same, again.said
