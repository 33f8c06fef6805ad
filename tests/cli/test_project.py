"""``lmcore project``."""

import pandas as pd
import pytest

from lmcore.projection.representations import load_map
from lmcore.settings import Workspace

MODEL = "models:/topics@champion"


def test_the_map_is_kept_and_answered(ask, trained_home, tmp_path):
    out = tmp_path / "map.csv"
    options = ("--split", "train", "--layer", "1", "--outliers", "isolation_forest", "--outlier-trees", "20")
    found = ask("project", MODEL, "topics@1", *options, "--outlier-share", "0.05", "--out", out, home=trained_home)
    assert (found["layer"], found["rows"], found["rows_total"]) == (1, 96, 96)
    assert found["parameters"]["data"] == "topics@1:train"
    assert found["parameters"]["outlier_options"] == {"share": 0.05, "trees": 20, "seed": 0}
    assert 0 < found["quality"]["trustworthiness"] <= 1
    assert len(found["explained_variance"]) == 2
    kept = load_map(Workspace(trained_home), found["id"])
    assert kept.points["id"].tolist() == [point["id"] for point in found["points"]]
    assert set(found["outliers"]) == set(kept.points.loc[kept.points["is_outlier"], "id"])
    assert 0 < len(found["outliers"]) <= 5
    pd.testing.assert_frame_equal(pd.read_csv(out)[["id", "text"]], kept.points[["id", "text"]], check_dtype=False)


def test_the_map_for_people(run, trained_home):
    shown = run("project", MODEL, "topics@1:test", "--method", "tsne", "--perplexity", "3", home=trained_home).stdout
    assert shown.startswith("t-SNE of layer ")
    assert "over 12 texts of topics@1:test; neighbourhoods are kept to" in shown
    assert "Far out in the full space: 1, of which" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((MODEL, "topics@1", "--layer", "99"), "The layer is 99, but the model has the layers 0 (embeddings) to "),
        ((MODEL, "topics@1", "--perplexity", "3"), "pca has no option 'perplexity'; it takes: dimensions, seed."),
        ((MODEL, "topics@1", "--dimensions", "9"), "The option dimensions is '9': give a whole number from 2 up to 3."),
        ((MODEL, "topics@1", "--outlier-share", "2"), "The option share is '2'"),
        ((MODEL, "topics@1", "--rows", "1"), "The number of rows is 1"),
        ((MODEL, "topics@1", "--out", "/nosuch/folder/x.csv"), "There is no folder /nosuch/folder for x.csv"),
        (("nosuch", "topics@1"), "There is no model 'nosuch'"),
        ((MODEL, "x.csv"), "'x.csv' is not a stored data set"),
    ],
)
def test_bad_input_is_one_sentence(refused, trained_home, arguments, said):
    assert said in refused("project", *arguments, home=trained_home)
