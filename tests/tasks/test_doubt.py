import numpy as np
import pytest

from lmcore.tasks import load_task
from lmcore.tasks.doubt import disagreement, doubt, doubt_measures
from lmcore.types import Prediction, Span

CLASSES = load_task("text-classification")
LABELS = load_task("multi-label-classification")
NAMES = load_task("named-entity-recognition")


def said(**p: float) -> Prediction:
    best = max(p, key=lambda name: p[name])
    return Prediction(0, best, p[best], p)


def test_the_three_measures_of_classes_have_their_known_values():
    found = doubt(CLASSES, said(a=0.5, b=0.3, c=0.2))
    entropy = -(0.5 * np.log(0.5) + 0.3 * np.log(0.3) + 0.2 * np.log(0.2)) / np.log(3)
    assert found == pytest.approx({"least_confident": 0.5, "margin": 0.8, "entropy": entropy})


@pytest.mark.parametrize(("p", "value"), [((1.0, 0.0, 0.0), 0.0), ((1 / 3, 1 / 3, 1 / 3), 1.0)])
def test_sure_is_zero_and_undecided_is_one(p, value):
    found = doubt(CLASSES, said(a=p[0], b=p[1], c=p[2]))
    assert found["margin"] == pytest.approx(value)
    assert found["entropy"] == pytest.approx(value, abs=1e-12)


def test_measures_order_rows_differently():
    """The example of Settles: margin looks at the two best classes alone, entropy at all of them."""
    close, wide = said(a=0.5, b=0.49, c=0.01), said(a=0.4, b=0.3, c=0.3)
    assert doubt(CLASSES, close)["margin"] > doubt(CLASSES, wide)["margin"]
    assert doubt(CLASSES, close)["entropy"] < doubt(CLASSES, wide)["entropy"]


def test_labels_that_do_not_exclude_each_other_are_choices_of_their_own():
    found = doubt(LABELS, Prediction(0, "a", 0.9 * 0.5, {"a": 0.9, "b": 0.5}))
    half = -(0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    assert found == pytest.approx({"least_confident": 0.55, "margin": 1.0, "entropy": (half + 1) / 2})


def test_a_task_without_probabilities_of_labels_has_one_measure():
    assert doubt_measures(NAMES) == ("least_confident",)
    assert doubt(NAMES, Prediction(0, score=0.25)) == {"least_confident": 0.75}


def test_disagreement_of_classes_is_the_jensen_shannon_divergence():
    from scipy.spatial.distance import jensenshannon

    p, q = (0.7, 0.2, 0.1), (0.1, 0.3, 0.6)
    first, second = (said(a=x[0], b=x[1], c=x[2]) for x in (p, q))
    assert disagreement(CLASSES, first, second) == pytest.approx(jensenshannon(p, q, base=2) ** 2)
    assert disagreement(CLASSES, first, first) == pytest.approx(0)
    assert disagreement(CLASSES, said(a=1.0, b=0.0), said(a=0.0, b=1.0)) == pytest.approx(1)
    assert disagreement(CLASSES, said(a=1.0), said(b=1.0)) == pytest.approx(1), "versions may know other classes"


def test_disagreement_of_label_sets_is_the_mean_over_labels():
    first, second = Prediction(0, "a", 1, {"a": 1.0, "b": 0.0}), Prediction(0, "a|b", 1, {"a": 1.0, "b": 1.0})
    assert disagreement(LABELS, first, second) == pytest.approx(0.5)


def test_disagreement_of_stretches_is_one_less_their_f1():
    a, b, c = Span(0, 3, "x"), Span(4, 6, "y"), Span(4, 6, "z")
    first, second = Prediction(0, spans=(a, b)), Prediction(0, spans=(a, c))
    assert disagreement(NAMES, first, second) == pytest.approx(0.5)
    assert disagreement(NAMES, first, Prediction(0)) == 1
    assert disagreement(NAMES, Prediction(0), Prediction(0)) == 0
    slots = load_task("slot-filling")
    assert disagreement(slots, Prediction(0, "play", spans=(a,)), Prediction(0, "call", spans=(a,))) == 0.5
