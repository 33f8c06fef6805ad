"""Why the running prediction server answers so: it is asked about the text without some of its words."""

import hashlib
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.analysis.attribution.methods import ATTRIBUTION, is_black_box
from lmcore.analysis.served.asking import CUTS, read_column
from lmcore.analysis.served.attribution import attribute_served, served_calls
from lmcore.analysis.served.targets import served_targets
from lmcore.charts import analysis as charts
from lmcore.charts.figure import Figure
from lmcore.fingerprint import fingerprint
from lmcore.serving import send, server_client, server_state
from lmcore.serving.client import prediction_of
from lmcore.tasks import load_task
from lmcore.types import Input, Report, Target
from lmcore.ui import cache, linked, show
from lmcore.ui.asking import key_hash
from lmcore.ui.forms import method_choice, option_fields
from lmcore.ui.predicted import show_prediction
from lmcore.ui.share import report_button
from lmcore.ui.stopping import agreed
from lmcore.ui.targets import pick_target, target_name
from lmcore.ui.trust import measured_panel

if TYPE_CHECKING:
    from lmcore.analysis.served.attribution import ServedAttribution
    from lmcore.analysis.trust.faithfulness import Faithfulness

ASKED = {"model": "The model itself", "server": "The running server"}
METHODS = tuple(name for name in ATTRIBUTION if is_black_box(name))
_HELD = 1e-3


@dataclass(frozen=True)
class ServedQuestion:
    """What the server is asked about.

    Attributes:
        version: that it runs with.
        started: when it was started, in seconds since 1970; another server may answer otherwise.
        text: what it reads.
        key_hash: of the key that was typed, so that nobody without it sees what it opened; the key itself is kept nowhere.
        target: what is explained; None while only the answer is wanted.
        method: how.
        options: its options, by name.
    """

    version: str
    started: float
    text: Input
    key_hash: str
    target: Target | None = None
    method: str = ""
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """A name that no other question has."""
        return fingerprint(*(str(getattr(self, name)) for name in self.__dataclass_fields__))


def asks_server(version: str) -> bool:
    """Offer to ask the running server in place of the model, where it runs with this version; say whether it is to be asked."""
    state = server_state(cache.settings().workspace)
    if state.state != "running" or state.version != version:
        if linked.named("analyse_asked", list(ASKED), ASKED.__getitem__) == "server":
            st.info(f"The prediction server does not run with {version} now: the model itself is explained.")
        return False
    said = "The server is sent nothing but texts, so that it takes only methods that leave words out."
    return linked.segments("Ask", list(ASKED), "analyse_asked", format_func=ASKED.__getitem__, help=said) == "server"


def draw_served(version: str, text: Input) -> None:
    """Show what the server says, and which words it hangs on."""
    state = server_state(cache.settings().workspace)
    key = st.text_input("API key", type="password", key="served_api_key") if key_hash() else ""
    if key_hash() and not key:
        st.info("This server asks for a key: give it to ask about the text. It is kept nowhere.")
        return
    asked = ServedQuestion(state.version, state.started, text, hashlib.sha256(key.encode()).hexdigest())
    read = read_column(text)
    left, right = show.side_by_side()
    with left:
        answer = _answer(cache.workspace_root(), asked, key)
        prediction = prediction_of(0, answer)
        show_prediction(load_task(cache.registry().get(version).task), prediction, read)
        st.caption(f"Answered by {answer['version']}, the running server.")
    with right:
        shares = prediction.probabilities
        rivals = list(shares) if abs(sum(shares.values()) - 1) < _HELD else []
        target = pick_target(
            served_targets(answer), prediction, read, lambda t: rivals if t.kind in ("class", "token") else []
        )
        method, options = _method_choice()
    if target is None:
        st.info("The server finds nothing in this text that could be explained.")
        return
    question = ServedQuestion(asked.version, asked.started, text, asked.key_hash, target, method, options)
    _explain(question, key, target_name(target, prediction, read))


def _method_choice() -> tuple[str, tuple[tuple[str, Any], ...]]:
    method = method_choice("Method", ATTRIBUTION, "served_method", names=METHODS, in_link=True)
    unit = st.segmented_control(
        "By", list(CUTS), default="word", key="served_unit", required=True, bind="query-params",
        help="What is left out at once.",
    )  # fmt: skip
    fields = tuple(option for option in ATTRIBUTION[method].options if option.name not in ("unit", "baseline"))
    options: dict[str, Any] = {}
    if fields:
        with st.expander("Settings", icon=":material/tune:"):
            options = option_fields(fields, f"served_{method}", in_link=True)
    return method, tuple(sorted({**options, "unit": str(unit)}.items()))


def _explain(question: ServedQuestion, key: str, name: str) -> None:
    calls = served_calls(question.text, method=question.method, **dict(question.options))
    root = cache.workspace_root()
    found = agreed(
        "Explain", f"served_{question.key}", f"This asks the server about up to {calls:,} texts.", slow=True,
        work=lambda report: _attribution(root, question, key, report),
    )  # fmt: skip
    if found is None:
        return
    figure = _map(found, name)
    left, right = show.side_by_side()
    with left:
        show.figure(figure, "served_attribution")
        _figures(found)
        _report(question, found, figure, name)
    with right:
        said = "Leaves words out, asks by other methods and edits the text: some hundred texts more for the server."
        measured_panel(found.fingerprint, said, lambda report: _measured(root, question, key, found, report))
        st.caption("The check with random weights needs the model itself and is left out.")


def _map(found: "ServedAttribution", name: str) -> Figure:
    what = name.removeprefix("Why ")
    return charts.token_scores(
        found.units["unit"].tolist(), found.units["score"].tolist(), title=f"What speaks for {what}",
        towards=what.split(" rather than ")[0], away=found.against, measure="probability",
    )  # fmt: skip


def _figures(found: "ServedAttribution") -> None:
    first, second = show.side_by_side(narrowest=150)
    error = found.completeness_error
    first.metric("Completeness error", "none promised" if math.isnan(error) else f"{error:.2%}", border=True)
    second.metric(
        "Fall without all words", f"{found.value - found.baseline_value:+.3f}", border=True,
        help=f"From {found.value:.3f} for the text to {found.baseline_value:.3f} without any of its words.",
    )  # fmt: skip
    st.caption(
        "A class counts with its probability; a stretch with that of the same words, where they are found again; words that "
        f"were written with 1, where they are written again. The server was asked about {found.calls:,} texts."
    )


def _report(question: ServedQuestion, found: "ServedAttribution", figure: Figure, name: str) -> None:
    arguments = {
        "text": question.text, "target": asdict(found.target), "method": found.method, "options": dict(found.parameters)
    }  # fmt: skip
    facts = {"Asked": "the running prediction server", "Texts asked": found.calls}
    report_button("served_attribution", question.version, found, arguments, [figure], title=name, facts=facts)


@st.cache_data(show_spinner="Asking the server …")
def _answer(root: str, question: ServedQuestion, _key: str) -> dict[str, Any]:
    (answer,) = send(cache.settings().workspace, [question.text], api_key=_key)["predictions"]
    return dict(answer)


@st.cache_data(show_spinner=False)
def _attribution(root: str, question: ServedQuestion, _key: str, _report: Report) -> "ServedAttribution":
    client = server_client(cache.settings().workspace, api_key=_key)
    return attribute_served(
        client, question.text, question.target, method=question.method, report=_report, **dict(question.options)
    )


@st.cache_data(show_spinner=False)
def _measured(
    root: str, question: ServedQuestion, _key: str, _found: "ServedAttribution", _report: Report
) -> "Faithfulness":
    from lmcore.analysis.served.trust import measure_served

    client = server_client(cache.settings().workspace, api_key=_key)
    return measure_served(client, _found, report=_report)
