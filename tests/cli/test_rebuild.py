"""``lmcore analyse rebuild``."""

import altair as alt
import pandas as pd
import pytest

from lmcore.analysis.recipes import Recipe, Stored, follow, named_data
from lmcore.charts.figure import Figure
from lmcore.charts.report import Shared, html_report
from lmcore.data.store import DatasetStore
from lmcore.models import load_model
from lmcore.settings import MIB, Settings, Workspace

VERSION = "models:/topics/1"
FIGURE = Figure(alt.Chart(pd.DataFrame({"x": [1]})).mark_point().encode(x="x:Q"), "a point", pd.DataFrame({"x": [1]}))


@pytest.fixture
def shared(trained_home):
    """The likeness of layers over the stored data set, as it is shared."""
    settings = Settings(workspace=Workspace(trained_home), device="cpu", pool_bytes=512 * MIB)
    loaded = load_model(VERSION, settings=settings)
    arguments = {
        "other": None, "data": named_data(DatasetStore(settings.workspace).load("topics@1")), "split": "test", "rows": 9,
        "method": "linear_cka", "options": {}, "pooling": "mean", "batch": None, "seed": 0,
    }  # fmt: skip
    recipe = Recipe("similarity", VERSION, loaded.fingerprint, arguments)
    return Shared(recipe, follow(recipe, loaded, Stored.of(settings)))


def written(folder, shared):
    file = folder / "report.html"
    file.write_text(html_report("Layers", {}, {}, [FIGURE], shared), encoding="utf-8")
    return file


def test_a_report_over_a_data_set_is_made_again(ask, run, trained_home, tmp_path, shared):
    file = written(tmp_path, shared)
    found = ask("analyse", "rebuild", file, home=trained_home)
    assert found["same"]
    assert found["largest"] <= 1e-5
    assert run("analyse", "rebuild", file, home=trained_home).stdout.startswith("The numbers are the same")


def test_a_changed_number_is_found(ask, trained_home, tmp_path, shared):
    changed = shared.frame.assign(similarity=shared.frame["similarity"] * 0.9)
    found = ask("analyse", "rebuild", written(tmp_path, Shared(shared.recipe, changed)), home=trained_home)
    assert not found["same"]
    assert found["largest"] == pytest.approx(0.1, rel=0.01)


def test_data_that_are_not_there_are_one_sentence(refused, trained_home, tmp_path, shared):
    arguments = {**shared.recipe.arguments, "data": {"ref": "absent@1", "fingerprint": "0"}}
    recipe = Recipe("similarity", VERSION, shared.recipe.weights, arguments)
    said = refused("analyse", "rebuild", written(tmp_path, Shared(recipe, shared.frame)), home=trained_home)
    assert "made over the data set absent@1, which is not in this workspace: bring it in first." in said
