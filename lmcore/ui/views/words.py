"""Over a data set: which words speak for each class, and whether one of them decides by itself."""

import streamlit as st

from lmcore.analysis.over_data.word_influence import KIND, TARGET, InfluenceConfig, WordInfluence, kept_influence
from lmcore.analysis.recipes import named_data
from lmcore.charts import influence as charts
from lmcore.charts.figure import Figure
from lmcore.methods import options_of
from lmcore.tasks import load_task
from lmcore.tasks.classes import ClassTask
from lmcore.ui import cache, show, state
from lmcore.ui.forms import option_fields
from lmcore.ui.jobs import as_job, running_bytes
from lmcore.ui.share import report_button

_SHOWN_ROWS = 50


def draw(version: str) -> None:
    """Offer the work as a job, and show what it found."""
    found = cache.registry().get(version)
    if not isinstance(load_task(found.task), ClassTask):
        st.info("Words are summed by class: choose a version whose task gives each text one class.")
        return
    datasets = [str(info.ref) for info in cache.datasets()]
    ref = state.pick("dataset", "Data set", datasets, default=str(found.facts.get("data", "")))
    if ref is None:
        st.info("There is no data set to sum the words over.")
        return
    with st.expander("Settings", icon=":material/tune:"):
        values = option_fields(options_of(InfluenceConfig), "words", in_link=True)
    data = f"{ref}:test" if cache.dataset(ref).is_split else ref
    config = InfluenceConfig(version, data, **values).checked()
    result = kept_influence(cache.settings().workspace, config)
    if result is None:
        st.caption(
            f"Explains up to {config.rows:,} rows of {data}, each against its runner-up, and tests the strongest words."
        )
        title = f"Words that {version} relies on in {data}"
        as_job(
            TARGET, config.to_dict(), title, KIND, "Find the words", f"words_{config.id}",
            needs=lambda: running_bytes(found),
        )  # fmt: skip
        return
    figures = _show(result)
    settings = {name: value for name, value in config.to_dict().items() if name not in ("version", "data")}
    whole = cache.dataset(ref)
    arguments = {"data": named_data(whole), "split": "test" if whole.is_split else "", "settings": settings}
    report_button("words", version, result, arguments, figures)


def _show(result: WordInfluence) -> list[Figure]:
    caught = result.shortcuts[result.shortcuts["shortcut"]]
    if caught.empty:
        st.success("No tested word decides by itself: none turns more than half of the texts of other classes.")
    else:
        words = ", ".join(
            f"“{show.plain(w)}” ({show.plain(c)})" for w, c in zip(caught["word"], caught["label"], strict=True)
        )
        st.warning(f"The model relies on a shortcut: {words} turns most texts of other classes by itself.")
    st.caption(
        f"{result.rows:,} of {result.rows_total:,} rows; scores are logits of the predicted class less the runner-up's. The "
        f"worst completeness error of a row is {result.worst_error:.1%}."
    )
    labels = sorted(result.words["label"].unique())
    chosen = st.segmented_control(
        "Class", labels, default=labels[0], key="words_class", required=True, bind="query-params"
    )
    left, right = show.side_by_side()
    figures = [charts.influential_words(result.words, str(chosen))]
    with left:
        show.figure(figures[0], f"words_{chosen}")
    with right:
        if len(result.shortcuts):
            figures.append(charts.word_tests(result.shortcuts))
            show.figure(figures[1], "words_tests")
        else:
            st.info("No word stands in enough texts to be tested: lower “Least”, or take more rows.")
    with st.expander("All words", icon=":material/table:"):
        own = result.words[result.words["label"] == chosen]
        st.caption(f"The first {min(len(own), _SHOWN_ROWS)} of {len(own):,}; the download has all.")
        show.table(own.head(_SHOWN_ROWS), "words_table", alt=f"The words that speak most for {chosen}.")
        show.download(result.words, "words_all")
    return figures
