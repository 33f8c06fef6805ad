"""The table of runs on public research data: kept in ``real-data.json`` by the tests, written by ``python -m docs.real``."""

import json
from pathlib import Path
from typing import Any

KEPT = Path(__file__).with_name("real-data.json")
TABLE = Path(__file__).with_name("real-data.md")
HEAD = """# Figures on real data

Public research data, split as their authors did where they did. Epochs, thresholds and layers are chosen on dev; every
figure is on test, with its 95 % bootstrap interval; "baseline" is the best of the simple rivals that LMScope measures on the
same rows. A model that loses to its baseline is shown as it is. Made by `make real` on two CPU cores; one run each, seed 0.

| data | task | model and method | settings | rows (train / test) | figure | value | best baseline | minutes |
|---|---|---|---|---|---|---|---|---|
"""


def keep(name: str, evaluation: Any, *, what: str, settings: str = "", rows: tuple[int, int], seconds: float) -> None:
    """Keep the chief figures of a run under its data, task and model; those of an earlier run go.

    Args:
        name: of the data, such as ``ATIS``.
        evaluation: on the test rows.
        what: the model and how it was trained.
        settings: those that differ from the usual ones, in a few words.
        rows: how many rows were learnt from and measured.
        seconds: how long it took.
    """
    rivals = evaluation.tables.get("baselines")
    found = []
    for metric, value in evaluation.metrics.items():
        known = evaluation.metric(metric)
        low, high = evaluation.intervals[metric]
        entry = {"title": known.title, "shown": [known.show(x) for x in (value, low, high)]}
        if rivals is not None and metric in rivals:
            best = rivals.sort_values(metric, ascending=known.higher).iloc[-1]
            entry["rival"] = [str(best["name"]), known.show(float(best[metric]))]
        found.append(entry | {"main": metric == evaluation.main.name})
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    mine = (name, evaluation.task, what)
    kept = {key: run for key, run in kept.items() if (run["data"], run["task"], run["what"]) != mine}
    kept[" · ".join(mine)] = {
        "data": name,
        "task": evaluation.task,
        "what": what,
        "settings": settings,
        "rows": list(rows),
        "minutes": round(seconds / 60, 1),
        "figures": found,
    }
    KEPT.write_text(json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def table() -> str:
    """Return the page: for each run its chief figure, and the others with a rival; precision and recall are left out."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    lines = []
    for run in sorted(kept.values(), key=lambda run: (run["task"], run["data"], run["what"])):
        before = [run["data"], run["task"], run["what"], run["settings"], f"{run['rows'][0]:,} / {run['rows'][1]:,}"]
        parts = ("precision", "recall")
        shown = [f for f in run["figures"] if f["main"] or ("rival" in f and not f["title"].lower().endswith(parts))]
        for figure in sorted(shown, key=lambda figure: not figure["main"]):
            value, low, high = figure["shown"]
            rival = "{1} ({0})".format(*figure["rival"]) if "rival" in figure else ""
            cells = [*before, figure["title"], f"{value} ({low} to {high})", rival, f"{run['minutes']}"]
            lines.append("| " + " | ".join(cells) + " |")
            before = [""] * len(before)
            run["minutes"] = ""
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
