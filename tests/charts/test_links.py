"""The words of two texts, coloured by what they are worth for a link."""

import numpy as np

from lmcore.analysis import attribute
from lmcore.charts.links import linked_words
from lmcore.types import Target
from lmcore.ui.targets import measure_of, target_name
from tests.analysis.readers import reader


def test_both_texts_are_coloured_on_one_scale():
    loaded = reader("text-alignment")
    pair = {"source": "Anna told us", "target": "nothing is as good"}
    found = attribute(loaded, pair, Target("link", "1-3"), method="input_x_gradient", baseline="pad")
    first, second = linked_words(found)
    assert first.data["token"].tolist() == pair["source"].split()
    assert second.data["token"].tolist() == pair["target"].split()
    scores = np.concatenate([first.data["value"], second.data["value"]])
    np.testing.assert_allclose(scores.sum(), found.scores.sum(), atol=1e-5)
    assert first.alt.startswith("First text.")
    assert "for the link" in str(first.chart.to_dict()).lower()


def test_what_is_explained_has_a_name_and_a_unit():
    from lmcore.tasks import load_task
    from lmcore.types import Prediction, Span

    prediction = Prediction(0, spans=(Span(4, 7, "chat"), Span(8, 14, "dort")), text="1-1 2-2")
    targets = load_task("text-alignment").targets(prediction)
    names = [target_name(target, prediction, "The cat sleeps.") for target in targets]
    assert names == ["Why “cat” – “chat”", "Why “sleeps” – “dort”"]
    assert [measure_of(Target("link", label)) for label in ("1-1", "1-1@2:probability")] == ["cosine", "probability"]
