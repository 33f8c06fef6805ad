"""Every shared analysis: made, written into a report, read out of it, and made again."""

import inspect
import json
from contextlib import contextmanager
from dataclasses import replace

import altair as alt
import pandas as pd
import pytest

from lmcore.analysis import SuiteStore, make_suite
from lmcore.analysis.recipes import RECIPES, Recipe, Stored, compare_frames, follow, named_data, named_suite
from lmcore.charts.figure import Figure
from lmcore.charts.report import Shared, html_report, read_report
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import InputError
from lmcore.models import load_model
from lmcore.settings import MIB, Settings, Workspace
from tests.analysis.readers import reader
from tests.analysis.recipes.cases import DATA, LINKED, OTHER, RECIPE_CASES, SUITE, TOPICS
from tests.tasks.linked import reversed_frame

FIGURE = Figure(alt.Chart(pd.DataFrame({"x": [1]})).mark_point().encode(x="x:Q"), "a point", pd.DataFrame({"x": [1]}))
SECOND = "models:/topics/2"


class Shop:
    """A workspace with a data set, a suite and two versions, and what a recipe calls them."""

    def __init__(self, workspace, topics, classifier):
        store = DatasetStore(workspace)
        self.data = store.save(topics)
        self.linked = store.save(TextDataset("linked", "text-alignment", reversed_frame()))
        suites = SuiteStore(workspace, str(self.data.ref))
        made = make_suite(self.data, name="robust", rows=4, each=1, edits=("typos", "deletion"), seed=2)
        self.suite = suites.save(made)
        self.models = {TOPICS: classifier, SECOND: replace(classifier, fingerprint="second")}
        self.stored = Stored(workspace, store.load, self.lend)

    @contextmanager
    def lend(self, version):
        yield self.models[version]

    def loaded(self, name):
        if name not in self.models:
            self.models[name] = reader(name)
        return self.models[name]

    def named(self, value):
        if isinstance(value, dict):
            return {name: self.named(item) for name, item in value.items()}
        names = {
            DATA: lambda: named_data(self.data),
            LINKED: lambda: named_data(self.linked),
            SUITE: lambda: named_suite(self.suite),
            OTHER: lambda: {"version": SECOND, "fingerprint": "second"},
        }
        return names[value]() if isinstance(value, str) and value in names else value

    def recipe(self, analysis):
        model, arguments = RECIPE_CASES[analysis]
        loaded = self.loaded(model)
        return Recipe(analysis, f"models:/{model}/1", loaded.fingerprint, self.named(arguments)), loaded


@pytest.fixture(scope="module")
def shop(tmp_path_factory, topics, tiny_folder):
    workspace = Workspace(tmp_path_factory.mktemp("recipes") / "workspace")
    settings = Settings(workspace=workspace, device="cpu", pool_bytes=512 * MIB)
    return Shop(workspace, topics, load_model(f"folder:{tiny_folder}", task="text-classification", settings=settings))


def through_a_report(recipe, frame):
    shared = Shared(recipe, frame)
    return read_report(html_report("x", {}, {}, [FIGURE], shared))


@pytest.mark.parametrize("analysis", list(RECIPES))
def test_every_shared_analysis_comes_out_the_same_and_a_changed_number_is_found(shop, analysis):
    recipe, loaded = shop.recipe(analysis)
    frame = follow(recipe, loaded, shop.stored)
    assert len(frame)
    read = through_a_report(recipe, frame)
    assert read.recipe == Recipe.of(json.loads(json.dumps(recipe.to_dict())))
    found = compare_frames(read.frame, follow(read.recipe, loaded, shop.stored))
    assert found.same, found.said
    number = next(
        name for name in reversed(list(frame)) if pd.api.types.is_float_dtype(frame[name]) and frame[name].notna().any()
    )
    changed = frame.copy()
    changed.loc[frame[number].first_valid_index(), number] += 0.1
    assert not compare_frames(through_a_report(recipe, changed).frame, frame).same


@pytest.mark.parametrize("analysis", list(RECIPES))
def test_a_recipe_names_every_argument(analysis):
    parameters = list(inspect.signature(RECIPES[analysis].load()).parameters.values())
    assert [item.name for item in parameters[:2]] == ["loaded", "stored"]
    for item in parameters[2:]:
        assert item.kind is inspect.Parameter.KEYWORD_ONLY
        assert item.default is inspect.Parameter.empty
    assert {item.name for item in parameters[2:]} == set(RECIPE_CASES[analysis][1])


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"ref": "topics@1", "fingerprint": "0" * 12}, "The data set topics@1 has other rows now"),
        ({"ref": "absent@1", "fingerprint": "0"}, "made over the data set absent@1, which is not in this workspace"),
        ({"ref": "../topics@1", "fingerprint": "0"}, "is not a stored data set"),
        ({"ref": "topics@1"}, "The recipe's arguments are not what neurons takes"),
        ("topics@1", "The recipe's arguments are not what neurons takes"),
    ],
)
def test_other_data_are_refused_in_a_sentence(shop, named, said):
    recipe, loaded = shop.recipe("neurons")
    with pytest.raises(InputError, match=said):
        follow(replace(recipe, arguments={**recipe.arguments, "data": named}), loaded, shop.stored)


def test_another_second_version_and_another_suite_are_refused(shop):
    recipe, loaded = shop.recipe("suite_comparison")
    other = {"version": SECOND, "fingerprint": "first"}
    with pytest.raises(InputError, match="has other weights now"):
        follow(replace(recipe, arguments={**recipe.arguments, "other": other}), loaded, shop.stored)
    suite = {**recipe.arguments["suite"], "fingerprint": "0"}
    with pytest.raises(InputError, match="The suite robust@1 has other cases now"):
        follow(replace(recipe, arguments={**recipe.arguments, "suite": suite}), loaded, shop.stored)
    absent = {**recipe.arguments["suite"], "ref": "absent@1"}
    with pytest.raises(InputError, match=r"absent@1 of topics@1, which is not in this workspace"):
        follow(replace(recipe, arguments={**recipe.arguments, "suite": absent}), loaded, shop.stored)


def test_what_is_no_number_is_compared_too():
    shared = pd.DataFrame({"a": [1.0, float("nan"), float("inf")], "b": ["x", None, "y"], "c": [None, None, None]})
    assert compare_frames(shared, shared.assign(a=[1.0, float("nan"), float("nan")], c=float("nan"))).same
    assert not compare_frames(shared, shared.assign(a=[1.0, 2.0, float("inf")])).same
    assert not compare_frames(shared, shared.assign(c=[1.0, 2.0, 3.0])).same
    assert not compare_frames(shared, shared.assign(b=["x", "z", "y"])).same
