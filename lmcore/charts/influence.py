"""Charts of the words that a classifier relies on."""

import altair as alt
import pandas as pd

from lmcore.analysis.over_data.shortcuts import DECIDES
from lmcore.charts.figure import Figure, bar_height, text_axis

SHOWN = 12


def influential_words(words: pd.DataFrame, label: str) -> Figure:
    """Draw the words that add most to one class, and how often they stand there.

    Args:
        words: ``label``, ``word``, ``rows``, ``total`` and ``mean``.
        label: the class.
    """
    own = words[(words["label"] == label) & (words["total"] > 0)].nlargest(SHOWN, "total")
    chart = (
        alt.Chart(own, title=f"Words that speak for {label}")
        .mark_bar()
        .encode(
            y=alt.Y("word:N", sort=None, axis=text_axis("Word", limit=180)),
            x=alt.X("total:Q", title="Sum of the scores (logits)"),
            tooltip=[
                "word:N",
                alt.Tooltip("total:Q", format="+.3f"),
                alt.Tooltip("mean:Q", title="mean in a text", format="+.3f"),
                alt.Tooltip("rows:Q", title="texts"),
            ],
        )
        .properties(height=bar_height(len(own)))
    )
    listed = ", ".join(f"{word!r} {total:+.2f}" for word, total in zip(own["word"][:3], own["total"][:3], strict=True))
    said = f"Most of all: {listed}." if listed else "No word does."
    return Figure(chart, f"Words that speak for {label}. {said}", own)


def word_tests(shortcuts: pd.DataFrame) -> Figure:
    """Draw how often each tested word turns a text of another class to its own, with 95 % intervals."""
    frame = shortcuts[shortcuts["inserted"] > 0].sort_values("insertion_flips", ascending=False).head(2 * SHOWN)
    frame = frame.assign(
        name=frame["word"] + " → " + frame["label"],
        verdict=frame["shortcut"].map({True: "shortcut", False: "no shortcut"}),
    )
    share = alt.Scale(domain=[0, 1])
    base = alt.Chart(frame).encode(y=alt.Y("name:N", sort=None, axis=text_axis("Word → class")))
    color = alt.Color("verdict:N", title=None, sort=["no shortcut", "shortcut"], legend=alt.Legend(orient="top"))
    whiskers = base.mark_rule().encode(
        x=alt.X("insertion_flips_low:Q", scale=share, title="Texts that it turns (share, with 95 % interval)"),
        x2="insertion_flips_high:Q",
        color=color,
    )
    points = base.mark_point(filled=True, size=70).encode(
        x=alt.X("insertion_flips:Q", scale=share),
        color=color,
        shape=alt.Shape("verdict:N", title=None, sort=["no shortcut", "shortcut"]),
        tooltip=[
            "word:N",
            "label:N",
            alt.Tooltip("insertion_flips:Q", title="turned by putting it in", format=".0%"),
            alt.Tooltip("inserted:Q", title="texts it was put into"),
            alt.Tooltip("deletion_flips:Q", title="turned by leaving it out", format=".0%"),
            alt.Tooltip("deleted:Q", title="texts it was left out of"),
        ],
    )
    half = alt.Chart(pd.DataFrame({"x": [DECIDES]})).mark_rule(strokeDash=[4, 4], opacity=0.6).encode(x="x:Q")
    title = "How often a single word decides"
    chart = (half + whiskers + points).properties(height=bar_height(len(frame), legend=1), title=title)
    caught = frame[frame["shortcut"]]["word"].tolist()
    said = f"Shortcuts: {', '.join(map(repr, caught))}." if caught else "None of the tested words is a shortcut."
    return Figure(chart, f"{title}. {said}", frame.drop(columns=["name", "verdict"]))
