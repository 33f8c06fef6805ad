"""Why this answer: the prediction, and what speaks for and against any part of it."""

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from lmcore.analysis.attribution.methods import ATTRIBUTION, UNITS, is_black_box
from lmcore.charts import analysis as charts
from lmcore.charts import attribution as matrices
from lmcore.charts.figure import Figure
from lmcore.charts.links import linked_words
from lmcore.fingerprint import fingerprint
from lmcore.tasks import load_task
from lmcore.tasks.links import LinkName
from lmcore.types import Input, Prediction, Report, Target
from lmcore.ui import cache, linked, show
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.predicted import show_prediction
from lmcore.ui.share import report_button
from lmcore.ui.stopping import agreed
from lmcore.ui.targets import measure_of, read_of, target_choice, target_name
from lmcore.ui.trust import trust_panel
from lmcore.ui.views.served import asks_server, draw_served

if TYPE_CHECKING:
    from lmcore.analysis.attribution.attribute import Attribution
    from lmcore.analysis.attribution.cost import AttributionCost
    from lmcore.analysis.attribution.outputs import OutputAttribution

EXPLAINED = {"one": "One part of the output", "all": "Every token of the output"}
_MEASURES = {"log_probability": "nats", "probability": "probability", "logit": "logits"}
_COMPLETENESS = (
    "The scores should add up to the model's output for the text less that for the baseline. This is by how much they "
    "miss it, as a share of that difference: above a few percent, don't trust the map."
)


@dataclass(frozen=True)
class Question:
    """What is asked on the page.

    Attributes:
        version: the model.
        text: what it reads.
        target: what is explained; None for every token of the output.
        output: what it wrote, for a task that writes.
        method: how.
        options: its options, by name.
        objective: what is explained of each token of the output.
    """

    version: str
    text: Input
    target: Target | None
    output: str | None
    method: str
    options: tuple[tuple[str, Any], ...]
    objective: str = ""

    @property
    def key(self) -> str:
        """A name that no other question has."""
        return fingerprint(*(str(getattr(self, name)) for name in self.__dataclass_fields__))


def draw(version: str, text: Input) -> None:
    """Show the prediction, and what speaks for and against what the viewer chooses of it."""
    if asks_server(version):
        draw_served(version, text)
        return
    left, right = show.side_by_side()
    with cache.pool().lease(version) as loaded:
        task = load_task(loaded.task).adapted(loaded.model.config)
        read = read_of(task, text)
        writes = task.decoding(loaded) is not None
        with left:
            prediction = _predict(cache.workspace_root(), version, text)
            output = _output_choice(prediction.text) if writes else None
            if output is not None and output != prediction.text:
                prediction = Prediction(prediction.id, text=output)
            show_prediction(task, prediction, read)
        with right:
            every = bool(output) and _wants_all()
            target = None if every else target_choice(task, loaded, prediction, read, text)
            method, options, unit = _method_choice()
    question = Question(version, text, target, output, method, options)
    if every:
        _draw_outputs(question, unit)
    elif target is None:
        st.info("The model finds nothing in this text that could be explained.")
    else:
        _draw_one(question, unit, target_name(target, prediction, read))


def _wants_all() -> bool:
    return linked.segments("What", list(EXPLAINED), "analyse_what", format_func=EXPLAINED.__getitem__) == "all"


def _output_choice(written: str) -> str:
    """Ask for the output that is explained: the model's own, or any other."""
    given = linked.text(
        "Output to explain", "analyse_output", height=68,
        placeholder=written or "The model writes nothing",
        help="Left empty, it is what the model writes itself; any other text is explained as if it had written it.",
    )  # fmt: skip
    return given.strip() or written


def _method_choice() -> tuple[str, tuple[tuple[str, Any], ...], str]:
    """Ask for a method, its options and the unit."""
    method = method_choice("Method", ATTRIBUTION, "analyse_method", in_link=True)
    unit = st.segmented_control(
        "By", list(UNITS), default="word", key="analyse_unit", required=True, bind="query-params",
        help="Methods that take stretches away score these; of the others the tokens' scores are added up.",
    )  # fmt: skip
    fields = tuple(option for option in ATTRIBUTION[method].options if option.name != "unit")
    options: dict[str, Any] = {}
    if fields:
        with st.expander("Settings", icon=":material/tune:"):
            options = option_fields(fields, f"analyse_{method}", in_link=True)
    if is_black_box(method):
        options["unit"] = unit
    return method, tuple(sorted(options.items())), str(unit)


def _draw_one(question: Question, unit: str, name: str) -> None:
    root = cache.workspace_root()
    cost = _cost(root, question)
    result = agreed(
        "Explain", f"why_{question.key}", cost.sentence(), slow=cost.slow,
        work=lambda report: _attribution(root, question, report),
    )  # fmt: skip
    if result is None:
        return
    _say_length(question.version, result)
    figure = _map(result, unit, name)
    left, right = show.side_by_side()
    with left:
        if result.target.kind == "link":
            _show_link(result, unit)
        show.figure(figure, "analyse_attribution")
        _figures_of(result)
        _report(question, result, figure, name)
    with right:
        trust_panel(question.version, result)


def _say_length(version: str, result: "Attribution") -> None:
    """Say where not all of a text was read, or more than the server would read of it."""
    with cache.pool().lease(version) as loaded:
        served = loaded.max_length
    if result.truncated:
        st.warning(result.reading.tokens.cut_note)
    elif result.reading.first > served:
        st.caption(f"The prediction server reads {served} tokens of a text: its answer to this one may be another.")


def _map(result: "Attribution", unit: str, name: str) -> Figure:
    frame = result.by_unit(unit)
    what = name.removeprefix("Why ")
    towards, title = what.split(" rather than ")[0], f"What speaks for {what}"
    if result.method == "gradient_norm":
        towards, title = "either way", f"What could change {what} most"
    return charts.token_scores(
        frame["unit"].tolist(), frame["score"].tolist(), title=title, towards=towards, away=result.target.against,
        measure=measure_of(result.target),
    )  # fmt: skip


def _show_link(result: "Attribution", unit: str) -> None:
    """Colour the words of both texts, and say what the link's value is."""
    link = LinkName.parse(result.target.label)
    for figure, name in zip(linked_words(result, unit), ("first", "second"), strict=True):
        show.figure(figure, f"analyse_link_{name}")
    other = f", less that of the link {result.target.against}" if result.target.against else ""
    st.caption(
        f"The link's value is its {link.measure}{other} at layer {link.layer}: {result.value:.3f}. Each text is read by "
        "itself; words that are linked are blanked where others are left out."
    )


def _figures_of(result: "Attribution") -> None:
    first, second = show.side_by_side(narrowest=150)
    error, unit = result.completeness_error, measure_of(result.target)
    said = "none promised" if math.isnan(error) else f"{error:.2%}"
    first.metric("Completeness error", said, border=True, help=_COMPLETENESS)
    summed = f"{float(result.scores.sum()):+.3f}"
    second.metric("Sum of the scores", summed, border=True, help=f"In {unit}, relative to the baseline.")


def _report(question: Question, result: "Attribution", figure: Figure, name: str) -> None:
    arguments = {
        "text": question.text, "target": asdict(result.target), "method": result.method,
        "options": dict(result.parameters), "output": result.output,
    }  # fmt: skip
    facts = {"Completeness error": f"{result.completeness_error:.4f}"}
    report_button("attribution", question.version, result, arguments, [figure], title=name, facts=facts)


def _draw_outputs(question: Question, unit: str) -> None:
    objective = linked.segments(
        "Of each token", list(_MEASURES), "analyse_objective", format_func=lambda name: name.replace("_", " ")
    )
    root, question = cache.workspace_root(), replace(question, objective=objective)
    cost = _cost(root, question)
    result = agreed(
        "Explain", f"every_{question.key}", f"{cost.sentence()} Each serves every token of the output.", slow=cost.slow,
        work=lambda report: _outputs(root, question, report),
    )  # fmt: skip
    if result is None:
        return
    figure = matrices.output_matrix(result.by_unit(unit), measure=_MEASURES[result.objective])
    show.figure(figure, "analyse_matrix")
    promised = result.completeness_errors[~np.isnan(result.completeness_errors)]
    said = f"{promised.max():.2%}" if promised.size else "none promised"
    st.metric("Largest completeness error", said, border=True, help=_COMPLETENESS)
    share = result.shares()["input"].mean()
    st.caption(
        f"{share:.0%} of the scores' size stands in what was read, the rest in what was written before. "
        "How far the map of a token can be trusted is measured where that part of the output is explained alone."
    )
    arguments = {
        "text": question.text, "output": result.output, "method": result.method, "objective": result.objective,
        "options": dict(result.parameters),
    }  # fmt: skip
    report_button("every_token", question.version, result, arguments, [figure])


@st.cache_data(show_spinner="Predicting …")
def _predict(root: str, version: str, text: Input) -> Prediction:
    from lmcore.models import predict_texts

    with cache.pool().lease(version) as loaded:
        return predict_texts(loaded.widest, [text])[0]


@st.cache_data(show_spinner=False)
def _cost(root: str, question: Question) -> "AttributionCost":
    from lmcore.analysis import attribution_cost

    target = question.target or Target("phrase")
    with cache.pool().lease(question.version) as loaded:
        return attribution_cost(
            loaded, question.text, target, output=question.output, method=question.method, **dict(question.options)
        )


@st.cache_data(show_spinner=False)
def _attribution(root: str, question: Question, _report: Report) -> "Attribution":
    from lmcore.analysis import attribute

    with cache.pool().lease(question.version) as loaded:
        return attribute(
            loaded, question.text, question.target, output=question.output, method=question.method, report=_report,
            **dict(question.options),
        )  # fmt: skip


@st.cache_data(show_spinner=False)
def _outputs(root: str, question: Question, _report: Report) -> "OutputAttribution":
    from lmcore.analysis import attribute_output

    with cache.pool().lease(question.version) as loaded:
        return attribute_output(
            loaded, question.text, output=question.output, method=question.method, objective=question.objective,
            report=_report, **dict(question.options),
        )  # fmt: skip
