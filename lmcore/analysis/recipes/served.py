"""Making a map of a server's answers again: the version that it served is asked in its place."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lmcore.analysis.recipes.stored import Stored
from lmcore.analysis.served.asking import Client
from lmcore.analysis.served.attribution import ServedAttribution, attribute_served
from lmcore.models.load import LoadedModel
from lmcore.models.predict import predict_texts
from lmcore.types import Input, Target


def served_attribution(
    loaded: LoadedModel, stored: Stored, *, text: Input, target: Mapping[str, Any], method: str,
    options: Mapping[str, Any],
) -> ServedAttribution:  # fmt: skip
    """Explain an answer of the version as if a server gave it; see `lmcore.analysis.served.attribution.attribute_served`."""
    return attribute_served(
        model_client(loaded), text, Target(**target), method=method, report=stored.report, **options
    )


def model_client(loaded: LoadedModel) -> Client:
    """Return what answers as a server would that runs a loaded model."""

    def ask(texts: Sequence[Input]) -> dict[str, Any]:
        entries = []
        for found in predict_texts(loaded, texts):
            entry = {"label": found.label, "probabilities": dict(found.probabilities), "text": found.text}
            spans = [asdict(span) for span in found.spans]
            entries.append({**entry, "spans": spans, "version": str(loaded.ref)})
        return {"predictions": entries}

    return ask
