"""Over a data set: how alike a version's layers are, to each other or to those of another model."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.analysis.recipes import named_data
from lmcore.analysis.recipes.over_data import similarity
from lmcore.analysis.similarity.methods import POOLING, SIMILARITY
from lmcore.charts import similarity as charts
from lmcore.charts.figure import Figure
from lmcore.errors import InputError
from lmcore.types import SPLITS, Report
from lmcore.ui import cache, linked, show
from lmcore.ui.analyse import split_data_choice
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.share import report_button
from lmcore.ui.stopping import stoppable

if TYPE_CHECKING:
    from lmcore.analysis.similarity import LayerSimilarity
    from lmcore.analysis.similarity.request import SimilarityRequest
    from lmcore.models.load import LoadedModel

AT_ONCE = 1000
BATCH = 256
WITH = {"": "Its own layers", "origin": "What it was trained from"}


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is compared: hashable, so that results are kept by it."""

    version: str
    other: str
    dataset: str
    split: str
    rows: int
    method: str
    options: tuple[tuple[str, Any], ...]
    pooling: str

    @property
    def batch(self) -> int | None:
        """Many texts are compared in batches where the measure can."""
        able = SIMILARITY[self.method].facts["batches"] and dict(self.options).get("debiased", True)
        return BATCH if able and self.rows > AT_ONCE else None

    def arguments(self) -> dict[str, Any]:
        """Return it as the recipe takes it."""
        return {
            "other": cache.named_model(self.other) if self.other else None,
            "data": named_data(cache.dataset(self.dataset)), "split": self.split, "rows": self.rows,
            "method": self.method, "options": dict(self.options), "pooling": self.pooling, "batch": self.batch, "seed": 0,
        }  # fmt: skip


def draw(version: str) -> None:
    """Ask what is to be compared, say what it takes, compare, and show it."""
    choice = _choose(version)
    if choice is None:
        return
    st.caption(_cost(cache.workspace_root(), choice))
    found = _compare(choice)
    if found is not None:
        report_button("similarity", version, found, choice.arguments(), _show(found))


def _choose(version: str) -> _Choice | None:
    left, right = show.side_by_side()
    with left:
        ref = split_data_choice(version)
        if ref is None:
            st.info("There is no split data set to compare the layers over.")
            return None
        method = method_choice("Measure", SIMILARITY, "similarity_method", in_link=True)
    with right:
        other = _other(version)
        st.caption("A model of another size or with another tokenizer can be compared too: the texts are the same.")
        with st.expander("Settings", icon=":material/tune:"):
            options = option_fields(SIMILARITY[method].options, f"similarity_{method}", in_link=True)
            pooling = str(
                st.selectbox("What stands for a text", list(POOLING), key="similarity_pooling", bind="query-params")
            )
            st.caption(f"{pooling.capitalize()}: {POOLING[pooling]}.")
            split = str(
                st.segmented_control(
                    "Rows", SPLITS, default="test", required=True, key="similarity_split", bind="query-params"
                )
            )
            rows = st.number_input(
                "Texts at most", 4, None, AT_ONCE, key="similarity_rows", bind="query-params",
                help=f"More than {AT_ONCE:,} are compared in batches of {BATCH}, by a measure without bias.",
            )  # fmt: skip
    if other is None:
        return None
    return _Choice(version, other, ref, split, int(rows), method, tuple(sorted(options.items())), pooling)


def _other(version: str) -> str | None:
    """Ask for the second model: empty for none, and None with a sentence where it cannot be had."""
    from lmcore.analysis.similarity import trained_from
    from lmcore.models.catalogue import list_models

    versions = [str(v.ref) for v in cache.versions() if v.available and str(v.ref) != version]
    models = [str(m.ref) for m in list_models(cache.machine()) if m.ref.kind != "config"]
    named = linked.select(
        "Compared with", [*WITH, *versions, *models], "similarity_with", format_func=lambda name: WITH.get(name, name)
    )
    if named == "origin":
        try:
            return str(trained_from(cache.registry().get(version), cache.registry()))
        except InputError as error:
            st.info(str(error))
            return None
    return named


def _compare(choice: _Choice) -> "LayerSimilarity | None":
    """Compare with a bar and a way to stop; None where it was stopped."""
    root = cache.workspace_root()
    return stoppable("Comparing the layers", "similarity", lambda report: _similarity(root, choice, report))


def _show(found: "LayerSimilarity") -> list[Figure]:
    facts = SIMILARITY[found.method].facts
    left, right = show.side_by_side()
    figures = [charts.layer_matrix(found), charts.layer_change(found)]
    with left:
        show.figure(figures[0], "similarity_matrix")
    with right:
        show.figure(figures[1], "similarity_change")
    if found.other:
        st.caption(f"Both read the same texts: {show.plain(found.model)} and {show.plain(found.other)}.")
    same, other = ", ".join(facts["same_after"]), ", ".join(facts["changed_by"])
    st.caption(
        f"{SIMILARITY[found.method].title} ({facts['source']}): {found.low:g} to 1; the same after {same}; changed by {other}."
    )
    counted = f"{found.rows:,} texts" if found.pooling != "tokens" else f"{found.rows:,} tokens"
    st.metric(
        "With the texts shuffled",
        f"{found.chance:.3f}",
        border=True,
        help=f"What layers reach that have nothing to do with each other, over {counted}: only what is above tells something.",
    )
    for note in found.notes:
        st.warning(show.plain(note))
    return figures


@contextmanager
def _models(choice: _Choice) -> "Iterator[list[LoadedModel]]":
    with ExitStack() as stack:
        names = [choice.version, *([choice.other] if choice.other else [])]
        yield [stack.enter_context(cache.pool().lease(name)) for name in names]


def _request(choice: _Choice) -> "SimilarityRequest":
    from lmcore.analysis.similarity.request import SimilarityRequest

    return SimilarityRequest.checked(choice.method, dict(choice.options), choice.pooling, choice.batch, seed=0)


@st.cache_data(show_spinner="Loading what is compared …")
def _cost(root: str, choice: _Choice) -> str:
    """Say what a comparison takes; the models are loaded for it."""
    with _models(choice) as models:
        texts = min(choice.rows, len(cache.dataset(choice.dataset).part(choice.split)))
        return _request(choice).cost(models, texts).sentence()


@st.cache_data(show_spinner=False)
def _similarity(root: str, choice: _Choice, _report: Report) -> "LayerSimilarity":
    with cache.pool().lease(choice.version) as loaded:
        return similarity(loaded, cache.stored(_report), **choice.arguments())
