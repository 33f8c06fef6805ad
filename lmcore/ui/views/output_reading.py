"""What the model would say after each layer, where that is decided, and what adds to it."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.analysis.lens.methods import LENSES
from lmcore.analysis.trust_cost import PARTS_COST
from lmcore.charts import lens as charts
from lmcore.charts.figure import Figure
from lmcore.errors import InputError
from lmcore.types import Input, Report, Target
from lmcore.ui import cache, linked, places, show
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.jobs import as_job, running_bytes
from lmcore.ui.share import report_button
from lmcore.ui.stopping import agreed
from lmcore.ui.trust import trust_panel
from lmcore.ui.views.explained import frozen, target_choice, thawed

if TYPE_CHECKING:
    from lmcore.analysis.attribution.cost import AttributionCost
    from lmcore.analysis.lens.logit_lens import LogitLens
    from lmcore.analysis.reading_cost import ReadingCost
    from lmcore.analysis.residual.direct_logits import LogitAttribution

Text = str | tuple[tuple[str, str], ...]
Asked = tuple[str, Text, Target, str]

_OFF = (
    "This head was trained to read the last layer alone: what it says about the layers below is what it makes of vectors "
    "that it never saw."
)
_COLOURS = {
    "probability": "How sure it is",
    "target": "The target's probability",
    "entropy": "Entropy",
    "divergence": "Distance from the last layer",
}


def draw(version: str, text: Input) -> None:
    """Show the lens over all layers, the way of one place, and the parts of the logit."""
    left, right = show.side_by_side()
    with left:
        target, output = target_choice(version, text, "reading")
    with right:
        name = method_choice("Lens", LENSES, "analyse_lens", in_link=True)
        lens = _lens_choice(version) if name == "tuned" else ""
    if lens is None:
        return
    root = cache.workspace_root()
    asked: Asked = (version, frozen(text), target, output)
    cost = _lens_cost(root, *asked)
    found = agreed(
        "Read the layers", f"lens_{hash((asked, lens))}", f"{cost.sentence()} The head is read after every layer.",
        slow=cost.slow,
        work=lambda report: _lens(root, *asked, lens, report),
    )  # fmt: skip
    if found is None:
        return
    st.markdown(show.plain(charts.decided_words(found)))
    if found.off_distribution:
        st.caption(_OFF)
    colour = linked.segments("Colour", list(_COLOURS), "analyse_lens_colour", format_func=_COLOURS.__getitem__)
    figure = charts.lens_map(found, colour)
    show.figure(figure, "analyse_lens_map")
    column = _column_choice(found)
    way = charts.lens_trajectory(found, column)
    show.figure(way, f"analyse_trajectory_{column}")
    arguments = {"text": text, "target": asdict(target), "output": output}
    read = {**arguments, "lens": lens, "top": found.parameters["top"]}
    report_button("lens", version, found, read, [figure, way])
    _draw_parts(asked, arguments)


def _draw_parts(asked: Asked, arguments: dict[str, Any]) -> None:
    """Say what taking the logit apart costs, do it, and show the parts."""
    root = cache.workspace_root()
    st.subheader("What adds to the logit")
    st.caption(
        "The embedding, every head and every MLP, with each norm's scale as it is here: they sum to the logit, or to the "
        "difference of two. What a part does by way of later layers counts for those."
    )
    try:
        cost = _parts_cost(root, *asked)
        parts = agreed(
            "Take the logit apart", f"logit_{hash(asked)}", cost.sentence(), slow=cost.slow,
            work=lambda report: _parts(root, *asked, report),
        )  # fmt: skip
    except InputError as error:
        st.info(str(error))
        return
    if parts is not None:
        report_button("logit_parts", asked[0], parts, arguments, _show_parts(parts))
        trust_panel(asked[0], parts, PARTS_COST)


def _lens_choice(version: str) -> str | None:
    """Choose among the version's tuned lenses, or train one; None where there is none yet."""
    from lmcore.analysis.lens.kept import TARGET, kept_lenses

    kept = {lens.id: lens for lens in kept_lenses(cache.settings().workspace, version)}
    chosen = None
    if kept:
        chosen = linked.select(
            "Trained",
            list(kept),
            "analyse_tuned",
            format_func=lambda i: (
                f"{i[:8]}: {kept[i].loss:.3f} nats from the last layer, plain {kept[i].plain_loss:.3f}"
            ),
        )
    with st.expander("Train a lens", icon=":material/tune:", expanded=not kept):
        datasets = [str(info.ref) for info in cache.datasets()]
        if not datasets:
            st.info("There is no data set to train a lens on.")
            return chosen
        data = st.selectbox("Texts", datasets, key="tuned_data")
        options = option_fields(LENSES["tuned"].options, "tuned")
        config = {"version": version, "data": data, "options": options}
        found = cache.registry().get(version)
        as_job(
            TARGET,
            config,
            f"Tuned lens of {version}",
            "lens",
            "Train",
            "train_lens",
            needs=lambda: running_bytes(found),
        )
    return chosen


def _column_choice(found: "LogitLens") -> int:
    numbers = [str(place) for place in range(1, len(found.columns) + 1)]
    if len(numbers) == 1:
        return 0
    start = numbers[int(found.focus[0]) if len(found.focus) else -1]
    chosen = linked.select(
        "Follow", numbers, places.LENS_COLUMN, default=start,
        format_func=lambda place: f"{place}: {charts.visible(found.columns[int(place) - 1])}",
    )  # fmt: skip
    return int(chosen) - 1


def _show_parts(parts: "LogitAttribution") -> list[Figure]:
    left, right = show.side_by_side()
    figures = [charts.logit_parts(parts)]
    with left:
        show.figure(figures[0], "analyse_logit_parts")
    with right:
        heads = parts.heads()
        if heads.size:
            figures.append(charts.head_scores(heads, title="What each head adds", unit="Logits"))
            show.figure(figures[1], "analyse_logit_heads")
        st.metric("Sum of all parts", f"{parts.parts['score'].sum():+.3f}", border=True, help="In logits.")
        st.caption(f"It misses the model's own value, {parts.value:+.3f}, by {parts.error:.1g}.")
    return figures


@st.cache_data(show_spinner=False)
def _lens_cost(root: str, version: str, text: Text, target: Target, output: str) -> "AttributionCost":
    from lmcore.analysis.attribution.cost import lens_cost

    with cache.pool().lease(version) as loaded:
        return lens_cost(loaded, thawed(text), target, output=output or None)


@st.cache_data(show_spinner=False)
def _lens(
    root: str,
    version: str,
    text: Text,
    target: Target,
    output: str,
    lens: str,
    _report: Report,
) -> "LogitLens":
    from lmcore.analysis import load_lens, logit_lens

    tuned = load_lens(cache.settings().workspace, lens) if lens else None
    with cache.pool().lease(version) as loaded:
        return logit_lens(loaded, thawed(text), target, output=output or None, lens=tuned, report=_report)


@st.cache_data(show_spinner=False)
def _parts_cost(root: str, version: str, text: Text, target: Target, output: str) -> "ReadingCost":
    from lmcore.analysis.reading_cost import logit_parts_cost

    with cache.pool().lease(version) as loaded:
        return logit_parts_cost(loaded, thawed(text), target, output=output or None)


@st.cache_data(show_spinner=False)
def _parts(
    root: str,
    version: str,
    text: Text,
    target: Target,
    output: str,
    _report: Report,
) -> "LogitAttribution":
    from lmcore.analysis import attribute_logits

    with cache.pool().lease(version) as loaded:
        return attribute_logits(loaded, thawed(text), target, output=output or None, report=_report)
