"""Asking the running prediction server on the Operate page, and reading what it says."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from lmcore.charts import serving as charts
from lmcore.errors import InputError
from lmcore.serving import ServerState, send
from lmcore.tasks import TASKS
from lmcore.types import Input
from lmcore.ui import cache, show
from lmcore.ui.example import example_texts

EXAMPLE = "The delivery was quick."
_ONE, _SEVERAL = "One text", "Several, one a line"


@dataclass(frozen=True)
class Answer:
    """What the server said to the texts that were sent last.

    Attributes:
        texts: what was sent.
        predictions: ``label``, ``probabilities``, ``version`` and, where the task has them, ``spans`` and ``text``, or
            ``error``, for each text.
        milliseconds: from sending to having the answer.
    """

    texts: tuple[Input, ...]
    predictions: tuple[Mapping[str, Any], ...]
    milliseconds: float


def ask_form(server: ServerState | None) -> None:
    """Send one text or several to the server and see the answer."""
    running = server is not None and server.state == "running"
    example = _example(server.version if server is not None and running else "")
    several = len(example) == 1 and (
        st.segmented_control("How many", [_ONE, _SEVERAL], default=_ONE, required=True, key="operate_mode") == _SEVERAL
    )
    with st.form("operate_send", border=False):
        texts = {name: _text_field(name, text, several, len(example) > 1) for name, text in example.items()}
        key = st.text_input("API key", type="password", key="operate_api_key") if key_hash() else ""
        sent = st.form_submit_button("Send", icon=":material/send:", type="primary", disabled=not running)
    if not running:
        st.caption("The server has to run before a text can be sent.")
    if sent:
        st.session_state.pop("operate_answer", None)
        st.session_state["operate_answer"] = ask(_inputs(texts, several), key)
    if "operate_answer" in st.session_state:
        show_answer(st.session_state["operate_answer"])


def show_calls(state: ServerState) -> None:
    """Show where the server is and how programs call it."""
    example, asks = _example(state.version), key_hash()
    sent = {"text": next(iter(example.values()))} if len(example) == 1 else {"texts": [example]}
    body = json.dumps(sent, ensure_ascii=False)
    header = ' -H "Authorization: Bearer $LMSCOPE_API_KEY"' if asks else ""
    given = ', headers={"Authorization": f"Bearer {key}"}' if asks else ""
    quoted = body.replace("'", "'\\''")
    st.markdown("Programs on this machine ask it like this:")
    st.code(f"curl {state.url}/predict{header} -d '{quoted}'", language="bash", wrap_lines=True)
    st.code(
        f'import httpx\n\nprint(httpx.post("{state.url}/predict", json={body}{given}).json())',
        language="python",
        wrap_lines=True,
    )


def key_hash() -> str:
    """Return the SHA-256 of the key that the server asks for; empty where it asks for none."""
    return os.environ.get("LMSCOPE_API_KEY_SHA256", "")


def ask(texts: Sequence[Input], api_key: str = "") -> Answer:
    """Send texts to the server.

    Raises:
        InputError: there is no text.
        ServerError: the server did not answer as it should.
    """
    if not texts:
        raise InputError("There is no text to send: write one.")
    start = time.perf_counter()
    answer = send(cache.settings().workspace, texts, api_key=api_key)
    return Answer(tuple(texts), tuple(answer["predictions"]), 1000 * (time.perf_counter() - start))


def show_answer(answer: Answer) -> None:
    """Draw one prediction with all that it holds, or a table of several."""
    if len(answer.texts) > 1:
        show.table(
            _answer_frame(answer),
            "operate_answers",
            alt="The answer to each text and its probability.",
            percent=("Probability",),
        )
        st.caption(f"{len(answer.texts)} texts in {answer.milliseconds:.0f} ms")
        return
    first = answer.predictions[0]
    if "error" in first:
        st.error(first["error"], icon=":material/error:")
        return
    left, right = show.side_by_side()
    with left:
        st.subheader(show.plain(_said(answer.texts[0], first) or "Nothing was found"), anchor=False)
        if first["label"] in first["probabilities"]:
            st.metric("Probability", f"{first['probabilities'][first['label']]:.1%}")
        st.metric("Latency", f"{answer.milliseconds:.0f} ms", help="From sending the text to having the answer.")
        st.caption(f"Answered by {first['version']}")
    with right:
        if first["probabilities"]:
            show.figure(charts.probability_bars(first["probabilities"]), "operate_probabilities")
        if first.get("spans"):
            found = _span_frame(answer.texts[0], first["spans"])
            show.table(found, "operate_spans", alt="The stretches that were found.", percent=("Probability",))


def _text_field(name: str, example: str, several: bool, named: bool) -> str:
    label = name.capitalize() if named else "Texts" if several else "Text"
    key = f"operate_text_{name}" if named else "operate_text"
    return str(st.text_area(label, example, height=120 if several else 80, key=key))


def _inputs(texts: Mapping[str, str], several: bool) -> list[Input]:
    if len(texts) > 1:
        return [dict(texts)]
    (text,) = texts.values()
    return [line for line in text.splitlines() if line.strip()] if several else [text] if text.strip() else []


def _example(version: str) -> dict[str, str]:
    """Return what a version reads, with an example; a text where it is none that is registered."""
    known = any(str(v.ref) == version and v.task in TASKS for v in cache.versions())
    return example_texts(version) if known else {"text": EXAMPLE}


def _said(sent: Input, prediction: Mapping[str, Any]) -> str:
    """Return an answer in a few words: what was written, the label, or the stretches that were found."""
    written = str(prediction.get("text") or prediction["label"])
    if written or not prediction.get("spans"):
        return written
    frame = _span_frame(sent, prediction["spans"])
    return ", ".join(
        f"{words} ({kind})" if kind else words for words, kind in zip(frame["Words"], frame["Type"], strict=True)
    )


def _span_frame(sent: Input, spans: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the stretches; of several texts they belong to the last."""
    text = sent if isinstance(sent, str) else list(sent.values())[-1]
    rows = [(text[span["start"] : span["end"]], span["label"], span["score"]) for span in spans]
    return pd.DataFrame(rows, columns=["Words", "Type", "Probability"])


def _answer_frame(answer: Answer) -> pd.DataFrame:
    rows = []
    for text, prediction in zip(answer.texts, answer.predictions, strict=True):
        if "error" in prediction:
            rows.append((text, prediction["error"], None))
            continue
        probability = prediction["probabilities"].get(prediction["label"])
        rows.append((text, _said(text, prediction), probability))
    return pd.DataFrame(rows, columns=["Text", "Answer", "Probability"])
