"""How probable a language model holds each token of a text, and what it would rather have read."""

from typing import TYPE_CHECKING

import streamlit as st

from lmcore.analysis.probabilities import ALTERNATIVES
from lmcore.charts import probabilities as charts
from lmcore.charts.token_colours import SHOWN
from lmcore.tasks import load_task
from lmcore.tasks.writing import WritingTask
from lmcore.types import Report
from lmcore.ui import cache, linked, show
from lmcore.ui.progress import PageReport
from lmcore.ui.share import report_button
from lmcore.ui.stretch import stretch_choice, stretch_name

if TYPE_CHECKING:
    from lmcore.analysis.probabilities import TokenProbabilities

_SAID = {
    "next token": "Each token given those before it.",
    "masked token": "Each token given all others: it is masked in turn, so that their sum is the pseudo-likelihood.",
    "output": "Each token of the output given the text and the output's tokens before it.",
}


def draw(version: str, text: str) -> None:
    """Show the text coloured by surprisal, surprisal beside entropy, and each token's alternatives."""
    output = None
    if isinstance(load_task(cache.registry().get(version).task), WritingTask):
        output = linked.text("What is written", "analyse_output", height=0, placeholder="What the model writes itself")
    with PageReport("Reading the probabilities") as report:
        found = _probabilities(cache.workspace_root(), version, text, output or None, report)
    if found.truncated:
        st.warning("The text is longer than the model's limit: only its beginning was read.")
    first, second, third = show.side_by_side(3, narrowest=150)
    first.metric("Surprisal of the text", f"{found.bits:,.1f} bits", border=True, help="The sum over its tokens.")
    second.metric("Perplexity", f"{found.perplexity:,.1f}", border=True, help="As undecided as among so many tokens.")
    share = (found.rank == 1).sum() / max(found.predicted, 1)
    third.metric("First guesses", f"{share:.0%}", border=True, help="Tokens that the model held the most probable.")
    st.caption(_SAID[found.reading])
    size = len(found.tokens)
    drawn = stretch_choice(size, SHOWN, "analyse_probabilities_from")
    part, name = found.part(drawn), stretch_name(drawn, size)
    figures = [charts.surprising_tokens(part, more=name), charts.surprisal_and_entropy(part, more=name)]
    show.figure(figures[0], "analyse_surprise")
    show.figure(figures[1], "analyse_entropies")
    show.table(
        found.to_frame(),
        "analyse_tokens",
        alt="Each token with its probability, surprisal, entropy, rank and the most probable tokens.",
        percent=["probability"],
        formats={"surprisal": "%.2f", "entropy": "%.2f"},
    )
    arguments = {"text": text, "output": output or "", "alternatives": ALTERNATIVES}
    report_button("probabilities", version, found, arguments, figures)


@st.cache_data(show_spinner=False)
def _probabilities(root: str, version: str, text: str, output: str | None, _report: Report) -> "TokenProbabilities":
    from lmcore.analysis import token_probabilities

    with cache.pool().lease(version) as loaded:
        return token_probabilities(loaded, text, output=output, alternatives=ALTERNATIVES, report=_report)
