"""Write the README's table of methods from the registries: ``python -m docs.methods``."""

from pathlib import Path

from lmcore.methods import all_registries

README = Path(__file__).parents[1] / "README.md"
STAGE = {
    "tasks": "Train",
    "samples": "Data",
    "issues": "Data",
    "cleaning": "Data",
    "models": "Train",
    "training": "Train",
    "rewards": "Train",
    "compression": "Train",
    "attribution": "Analyse",
    "lenses": "Analyse",
    "patching": "Analyse",
    "ablated": "Analyse",
    "ablation": "Analyse",
    "alignment": "Analyse",
    "components": "Analyse",
    "head roles": "Analyse",
    "head importance": "Analyse",
    "properties": "Analyse",
    "probes": "Analyse",
    "similarity": "Analyse",
    "edits": "Analyse",
    "projection": "Visualise",
    "outliers": "Visualise",
}
BEGIN, END = "<!-- methods: made by `python -m docs.methods` -->\n", "<!-- /methods -->"


def methods_table() -> str:
    """Return a Markdown table with a row for each entry of each registry."""
    lines = ["| stage | kind | name | what it does |", "|---|---|---|---|"]
    for kind, registry in sorted(all_registries().items(), key=lambda item: list(STAGE).index(item[0])):
        for name, method in registry.items():
            lines.append(f"| {STAGE[kind]} | {kind} | `{name}` | **{method.title}**: {method.summary} |")
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """Return the README's text with the table replaced."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + methods_table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
