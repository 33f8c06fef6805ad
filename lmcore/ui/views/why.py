"""Why this answer: the prediction, and which tokens speak for and against it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmcore.analysis.methods import ATTRIBUTION
from lmcore.charts import analysis as charts
from lmcore.tasks import load_task
from lmcore.types import Prediction, Target
from lmcore.ui import cache, show, state
from lmcore.ui.forms import method_choice, option_fields

if TYPE_CHECKING:
    from lmcore.analysis.attribution import Attribution

ENTRIES = 32
_COMPLETENESS = (
    "The scores should add up to the model's output for the text less that for the baseline. This is by how much they "
    "miss it, as a share of that difference: above a few percent, don't trust the map."
)


def draw(version: str, text: str) -> None:
    """Show the prediction, and which tokens speak for and against a class."""
    with cache.pool().lease(version) as loaded:
        prediction = _predict(cache.workspace_root(), version, text)
        task = load_task(loaded.task)
    left, right = show.side_by_side()
    with left:
        sure = prediction.probabilities.get(prediction.label, prediction.score)
        st.markdown(f"The model says **{show.plain(prediction.label)}** with {sure:.1%}.")
        show.figure(charts.class_probabilities(prediction.probabilities), "analyse_probabilities")
    with right:
        target = _target_choice(task.targets(prediction), prediction)
        method = method_choice("Method", ATTRIBUTION, "analyse_method", in_link=True)
        with st.expander("Settings", icon=":material/tune:"):
            options = option_fields(ATTRIBUTION[method].options, f"analyse_{method}")
            by_word = st.checkbox("Add the tokens of a word together", value=True, key="analyse_by_word")
    result = _attribution(cache.workspace_root(), version, text, target, method, tuple(sorted(options.items())))
    _show_attribution(result, by_word)


def _target_choice(targets: Sequence[Target], prediction: Prediction) -> Target:
    names = [f"Why {t.label}" + (f" rather than {t.against}" if t.against else "") for t in targets]
    wanted = state.chosen("target")
    index = names.index(wanted) if wanted in names else 0
    name = st.selectbox("What to explain", names, index=index, key=f"analyse_target_{prediction.label}")
    state.choose("target", "" if name == names[0] else name)
    return targets[names.index(name)]


def _show_attribution(result: "Attribution", by_word: bool) -> None:
    against = f" rather than {result.target.against}" if result.target.against else ""
    frame = result.by_word().rename(columns={"word": "token"}) if by_word else result.to_frame()
    units, scores = frame["token"].tolist(), frame["score"].tolist()
    figure = charts.token_scores(
        units, scores, title=f"What speaks for {result.target.label}{against}", towards=result.target.label,
        away=result.target.against,
    )  # fmt: skip
    if result.truncated:
        st.warning("The text is longer than the model's limit: only its beginning was read.")
    show.figure(figure, "analyse_attribution")
    left, right = show.side_by_side(narrowest=200)
    left.metric("Completeness error", f"{result.completeness_error:.2%}", border=True, help=_COMPLETENESS)
    right.metric("Sum of the scores", f"{sum(scores):+.3f}", border=True, help="In logits, relative to the baseline.")


@st.cache_resource(max_entries=ENTRIES, show_spinner="Predicting …")
def _predict(root: str, version: str, text: str) -> Prediction:
    from lmcore.models import predict_texts

    with cache.pool().lease(version) as loaded:
        return predict_texts(loaded, [text])[0]


@st.cache_resource(max_entries=ENTRIES, show_spinner="Explaining …")
def _attribution(
    root: str, version: str, text: str, target: Target, method: str, options: tuple[tuple[str, Any], ...]
) -> "Attribution":
    from lmcore.analysis import attribute

    with cache.pool().lease(version) as loaded:
        return attribute(loaded, text, target, method=method, **dict(options))
