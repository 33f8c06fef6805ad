"""Over a data set: whether a class answers to concepts."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.analysis.concepts.directions import MOST_TEXTS
from lmcore.analysis.concepts.testing import LEVEL
from lmcore.analysis.recipes import named_data
from lmcore.analysis.recipes.over_data import concepts
from lmcore.charts import concepts as charts
from lmcore.charts.figure import Figure
from lmcore.data.dataset import TextDataset
from lmcore.tasks import load_task
from lmcore.tasks.labelled import LabelTask
from lmcore.types import Report, Target
from lmcore.ui import cache, linked, show
from lmcore.ui.analyse import split_data_choice
from lmcore.ui.share import report_button
from lmcore.ui.stopping import stoppable
from lmcore.ui.views.factors import draw_factors

if TYPE_CHECKING:
    from lmcore.analysis.concepts.testing import ConceptTest

SEEN = {"test": "Test concepts", "factors": "Factors"}
MADE_OF = {"slices": "Slices of the data", "words": "Words"}
MOST_CONCEPTS = 6
EXPLAINED = 60
_EXAMPLE = "one concept a line, such as  delivery: parcel, late, courier"


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is tested: hashable, so that results are kept by it.

    Attributes:
        words: the lines that list words, for concepts of words.
        column: the column of the slices, or empty.
        values: its values, each a concept.
    """

    version: str
    dataset: str
    target: Target
    words: tuple[str, ...]
    column: str
    values: tuple[str, ...]
    texts: int
    sets: int

    def arguments(self) -> dict[str, Any]:
        """Return it as the recipe takes it."""
        return {
            "data": named_data(cache.dataset(self.dataset)), "target": asdict(self.target), "words": list(self.words),
            "column": self.column, "values": list(self.values), "texts": self.texts, "sets": self.sets, "level": LEVEL,
            "most": MOST_TEXTS, "seed": 0,
        }  # fmt: skip


def draw(version: str) -> None:
    """Ask for a data set and for what is to be seen of it."""
    ref = split_data_choice(version)
    if ref is None:
        st.info("There is no split data set to make concepts of.")
        return
    if not isinstance(load_task(cache.registry().get(version).task), LabelTask):
        draw_factors(version, ref)  # the version has no classes whose dependence on a concept could be tested
        return
    seen = linked.segments("What to see", list(SEEN), "concepts_seen", format_func=SEEN.__getitem__, hidden=True)
    if seen == "factors":
        draw_factors(version, ref)
    else:
        _draw_test(version, ref)


def _draw_test(version: str, ref: str) -> None:
    with cache.pool().lease(version) as loaded:
        labels = loaded.labels
    choice = _choose(version, ref, labels)
    if choice is None:
        return
    st.caption(
        f"Differentiates the model for {choice.texts} texts, reads at most 800 for each concept, and holds each layer's "
        f"direction against at least {choice.sets} random sets."
    )
    root = cache.workspace_root()
    found = stoppable("Testing the concepts", "concepts", lambda report: _test(root, choice, report))
    if found is not None:
        report_button("concepts", version, found, choice.arguments(), _show(found))


def _choose(version: str, ref: str, labels: tuple[str, ...]) -> _Choice | None:
    data = cache.dataset(ref)
    left, right = show.side_by_side()
    with left:
        target = _target(labels)
    with right:
        by = linked.segments("Concepts are", list(MADE_OF), "concepts_by", format_func=MADE_OF.__getitem__)
        words, column, values = (_words(), "", ()) if by == "words" else ((), *_slices(data))
    with st.expander("Settings", icon=":material/tune:"):
        texts = st.number_input(
            "Texts that are explained", 2, 2000, EXPLAINED, key="concepts_texts", bind="query-params",
            help="Rows of the class; of all classes where it has none.",
        )  # fmt: skip
        sets = st.number_input(
            "Random sets at least", 20, 20_000, 500, key="concepts_sets", bind="query-params",
            help="Each as large as the concept, drawn from its texts and the others together.",
        )  # fmt: skip
    if not words and not values:
        st.info("List the words of a concept, one concept a line, or choose slices: the test follows.")
        return None
    return _Choice(version, ref, target, words, column, values, int(texts), int(sets))


def _target(labels: tuple[str, ...]) -> Target:
    label = str(st.selectbox("Does the model need it to say", labels, key="concepts_target", bind="query-params"))
    others = ["", *(name for name in labels if name != label)]
    against = linked.select("rather than", others, "concepts_against", format_func=lambda name: name or "anything else")
    return Target("class", label, against=against)


def _words() -> tuple[str, ...]:
    given = linked.text("Words", "concepts_words", placeholder=_EXAMPLE, height=110)
    lines = [line.strip() for line in given.splitlines() if line.strip()]
    if len(lines) > MOST_CONCEPTS:
        st.warning(f"The first {MOST_CONCEPTS} of {len(lines)} concepts are tested.")
    return tuple(lines[:MOST_CONCEPTS])


def _slices(data: TextDataset) -> tuple[str, tuple[str, ...]]:
    read = {"id", "split", *load_task(data.task).inputs(data.frame)}
    columns = [str(name) for name in data.frame.columns if name not in read and 1 < data.frame[name].nunique() <= 100]
    if not columns:
        st.info("This data set has no column whose values could be slices.")
        return "", ()
    column = str(st.selectbox("Column", columns, key="concepts_column", bind="query-params"))
    counts = data.frame[column].astype(str).value_counts()
    names = [str(name) for name in counts.index if str(name)]
    values = st.multiselect(
        "Values, each a concept", names, default=names[:3], max_selections=MOST_CONCEPTS,
        key=f"concepts_values_{column}", bind="query-params",
    )  # fmt: skip
    return column, tuple(values)


def _show(found: "ConceptTest") -> list[Figure]:
    figures: list[Figure] = []
    for name in found.table["concept"].unique():
        left, right = show.side_by_side()
        figures += [charts.concept_scores(found, name), charts.concept_effects(found, name)]
        with left:
            show.figure(figures[-2], f"concepts_score_{name}")
        with right:
            show.figure(figures[-1], f"concepts_effect_{name}")
    tests = len(found.table)
    st.caption(
        f"Score: the share of {found.texts} texts whose target rises to first order when every token is moved towards the "
        f"concept; the band is where 95 % of {found.sets:,} random sets of the same size lie. Effect: by how much it changes "
        f"when a text moves as far as the texts with the concept lie from the others. Two-sided test of the effect against "
        f"the random sets; significant means p ≤ {found.level:g} after Bonferroni's correction for {tests} tests; the table "
        "has the false discovery rate too. A concept that is found may stand for another that goes with it."
    )
    columns = ["concept", "layer", "accuracy", "score", "effect", "p", "p_bonferroni", "p_fdr", "significant"]
    formats = {"effect": "%+.3f", "p": "%.3g", "p_bonferroni": "%.3g", "p_fdr": "%.3g"}
    with st.expander("Table", icon=":material/table:"):
        show.table(
            found.table[columns], "concepts_table", alt="The test of each concept in each layer.", formats=formats,
            percent=["accuracy", "score"],
        )  # fmt: skip
    return figures


@st.cache_data(show_spinner=False)
def _test(root: str, choice: _Choice, _report: Report) -> "ConceptTest":
    with cache.pool().lease(choice.version) as loaded:
        return concepts(loaded, cache.stored(_report), **choice.arguments())
