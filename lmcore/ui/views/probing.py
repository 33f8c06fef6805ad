"""Over a data set: which properties of texts and words can be read off each layer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.analysis.probes.methods import PROBES, PROPERTIES
from lmcore.analysis.probes.probing import MOST_WORDS
from lmcore.analysis.recipes import named_data
from lmcore.analysis.recipes.over_data import probes
from lmcore.charts import probing as charts
from lmcore.charts.figure import Figure
from lmcore.data.dataset import TextDataset
from lmcore.types import Report
from lmcore.ui import cache, linked, show
from lmcore.ui.analyse import split_data_choice
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.share import report_button
from lmcore.ui.stopping import stoppable
from lmcore.ui.views.head_map import draw_map

if TYPE_CHECKING:
    from lmcore.analysis.probes.probing import ProbeResult

SEEN = {"layers": "What layers know", "heads": "Map of heads"}
ROWS = 500
PORTIONS = 10
_CONTROL = (
    "Also fit each layer to labels at random that stick to the word or text: what is learnt there is learnt by heart, "
    "not read off the layer (Hewitt & Liang 2019)."
)
_CODE = (
    "Also count the bits that it takes to send the labels to somebody who has the vectors: the fewer, the easier they are "
    "to read (Voita & Titov 2020)."
)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is probed: hashable, so that results are kept by it."""

    version: str
    dataset: str
    rows: int
    about: str
    property_options: tuple[tuple[str, Any], ...]
    probe: str
    probe_options: tuple[tuple[str, Any], ...]
    control: bool
    code: bool

    @property
    def fits(self) -> int:
        """How many probes are fitted on each layer."""
        return 1 + self.control + PORTIONS * self.code

    def arguments(self) -> dict[str, Any]:
        """Return it as the recipe takes it."""
        return {
            "data": named_data(cache.dataset(self.dataset)), "rows": self.rows, "property": self.about,
            "property_options": dict(self.property_options), "probe": self.probe,
            "probe_options": dict(self.probe_options), "control": self.control, "code": self.code,
            "most_words": MOST_WORDS, "seed": 0,
        }  # fmt: skip


def draw(version: str) -> None:
    """Ask for a data set and for what is to be seen of it."""
    ref = split_data_choice(version)
    if ref is None:
        st.info("There is no split data set to probe the layers on.")
        return
    seen = linked.segments("What to see", list(SEEN), "probing_seen", format_func=SEEN.__getitem__, hidden=True)
    if seen == "heads":
        draw_map(version, ref)
    else:
        _draw_probes(version, ref)


def _draw_probes(version: str, ref: str) -> None:
    choice = _choose(version, ref)
    layers = cache.layers(version) + 1
    st.caption(
        f"Reads at most {3 * choice.rows:,} texts once, and fits {layers * choice.fits} probes on {layers} layers "
        f"({choice.fits} on each)."
    )
    root = cache.workspace_root()
    found = stoppable("Probing the layers", "probing", lambda report: _probe(root, choice, report))
    if found is not None:
        report_button("probes", version, found, choice.arguments(), _show(found))


def _choose(version: str, ref: str) -> _Choice:
    data = cache.dataset(ref)
    left, right = show.side_by_side()
    with left:
        offered = _offered(data)
        name = method_choice("Property", PROPERTIES, "probing_property", names=offered, in_link=True)
        property_options = _property_fields(name, data)
    with right:
        probe = method_choice("Probe", PROBES, "probing_probe", in_link=True)
        control = st.checkbox("Control task", key="probing_control", bind="query-params", help=_CONTROL)
        code = st.checkbox("Description length", key="probing_code", bind="query-params", help=_CODE)
        with st.expander("Settings", icon=":material/tune:"):
            rows = st.number_input(
                "Rows of each split at most", 10, 100_000, ROWS, key="probing_rows", bind="query-params",
                help="More rows are drawn at random.",
            )  # fmt: skip
            options = option_fields(PROBES[probe].options, f"probing_{probe}", in_link=True)
    return _Choice(
        version, ref, int(rows), name, tuple(sorted(property_options.items())), probe, tuple(sorted(options.items())),
        bool(control), bool(code),
    )  # fmt: skip


def _offered(data: TextDataset) -> list[str]:
    """Return the properties that a data set has."""
    from lmcore.tasks import load_task
    from lmcore.tasks.classes import ClassTask

    task = load_task(data.task)
    lacking = {
        "label": not isinstance(task, ClassTask),
        "tags": not _tag_columns(data),
        "column": not _columns(data),
    }
    return [name for name in PROPERTIES if not lacking.get(name, False)]


def _columns(data: TextDataset) -> list[str]:
    from lmcore.tasks import load_task

    read = {"id", "split", *load_task(data.task).inputs(data.frame)}
    return [str(name) for name in data.frame.columns if name not in read]


def _tag_columns(data: TextDataset) -> list[str]:
    from lmcore.tasks import load_task

    return [c.name for c in load_task(data.task).columns if c.role == "tags" and c.name in data.frame.columns]


def _property_fields(name: str, data: TextDataset) -> dict[str, Any]:
    options = PROPERTIES[name].options
    found: dict[str, Any] = {}
    if any(option.name == "column" for option in options):
        columns = _columns(data)
        # Other columns may have a tag for each word too, such as a part of speech.
        first = columns.index("tags") if name == "tags" and "tags" in columns else 0
        found["column"] = st.selectbox(
            "Column", columns, index=first, key=f"probing_{name}_column", bind="query-params"
        )
    rest = [option for option in options if option.name != "column"]
    return found | option_fields(rest, f"probing_{name}", in_link=True)


def _show(found: "ProbeResult") -> list[Figure]:
    title = f"{PROPERTIES[found.parameters['property']].title} by layer: accuracy of the probe"
    figure = charts.probe_accuracy(found.accuracies, found.best_layer, title=title, majority=found.majority["dev"])
    figures = [figure]
    show.figure(figure, "probing_accuracy")
    level = PROPERTIES[found.parameters["property"]].facts["level"]
    counted = ", ".join(f"{number:,} of {split}" for split, number in found.examples.items())
    st.caption(
        f"Examples: {counted} ({level}s), {len(found.classes)} classes. The best layer is chosen on dev; the dashed line is "
        f"always saying the most frequent class. That a layer holds something does not say that the model uses it."
    )
    with_control, codes = "selectivity" in found.accuracies, found.codes
    cells = show.side_by_side(with_control + (codes is not None)) if with_control or codes is not None else []
    if with_control:
        with cells.pop(0):
            split = "test" if "test" in found.examples else "dev"
            figures.append(charts.selectivity(found, split))
            show.figure(figures[-1], "probing_selectivity")
            st.caption("About 0: the probe learnt the labels by heart, and the layer need not hold them.")
    if codes is not None:
        with cells.pop(0):
            figures.append(charts.compression(codes))
            show.figure(figures[-1], "probing_code")
            st.caption("The dashed line, 1: knowing the vectors saves nothing.")
    return figures


@st.cache_data(show_spinner=False)
def _probe(root: str, choice: _Choice, _report: Report) -> "ProbeResult":
    with cache.pool().lease(choice.version) as loaded:
        return probes(loaded, cache.stored(_report), **choice.arguments())
