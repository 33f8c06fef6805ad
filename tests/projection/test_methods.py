import json
import subprocess
import sys

import pytest

from lmcore.errors import OptionError
from lmcore.methods import REGISTRIES, load_target
from lmcore.projection.methods import OUTLIERS, PROJECTION

METHODS = [*PROJECTION.values(), *OUTLIERS.values()]


def test_the_registries_hold_what_is_built():
    assert list(PROJECTION) == ["pca", "tsne", "umap"]
    assert list(OUTLIERS) == ["knn_distance", "local_outlier_factor", "isolation_forest"]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_each_entry_loads_and_its_defaults_are_valid(method):
    assert callable(method.load())
    assert method.check({}) == {option.name: option.default for option in method.options}
    json.dumps(method.describe())


@pytest.mark.parametrize(
    ("name", "value"),
    [("dimensions", 1), ("dimensions", 4), ("perplexity", 0.5), ("seed", -1), ("metric", "manhattan")],
)
def test_options_out_of_bounds_are_refused(name, value):
    with pytest.raises(OptionError, match=name):
        PROJECTION["tsne"].check({name: value})


def test_reading_the_registries_imports_nothing_heavy():
    heavy = "{'torch', 'transformers', 'umap', 'sklearn', 'numba', 'streamlit'}"
    code = (
        "import sys, lmcore.projection, lmcore.projection.methods as m; m.PROJECTION.describe(); m.OUTLIERS.describe();"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_public_functions_imports_nothing_heavy():
    heavy = "{'torch', 'umap', 'sklearn', 'numba', 'streamlit'}"
    code = (
        "import sys; from lmcore.projection import project, projection_quality, find_outliers;"
        f"print(callable(project), sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True []"


@pytest.mark.parametrize("kind", ["projection", "outliers"])
def test_the_base_layer_finds_them(kind):
    assert load_target(REGISTRIES[kind]) is {"projection": PROJECTION, "outliers": OUTLIERS}[kind]


def test_there_is_no_attribute_beyond_the_exported_ones():
    import lmcore.projection

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = lmcore.projection.nothing
