import numpy as np
import pandas as pd
import pytest

from lmcore.charts.analysis import (
    MAX_TOKENS,
    class_probabilities,
    head_entropies,
    layer_by_token,
    token_by_token,
    token_scores,
)

TOKENS = ["[CLS]", "the", "train", "the", "[SEP]"]
CHINESE = ["[CLS]", "物", "流", "物", "[SEP]"]


def drawn(spec):
    return pd.DataFrame(next(iter(spec["datasets"].values())))


@pytest.mark.parametrize("names", [["a", "b", "c"], ["物流", "质量", "客服"]])
def test_probabilities_from_the_highest_to_the_lowest(check, names):
    figure = class_probabilities(dict(zip(names, (0.2, 0.7, 0.1), strict=True)))
    check(figure)
    assert figure.alt == f"Probabilities: {names[1]} 70.0%, {names[0]} 20.0%, {names[2]} 10.0%."
    assert list(figure.data["class"]) == [names[1], names[0], names[2]]


def test_one_class_is_certain(check):
    assert check(class_probabilities({"only": 1.0}))


def test_a_long_end_without_scores_is_left_out_and_named():
    units = [f"u{n}" for n in range(9)]
    figure = token_scores(units, [0.0, 1.0, 0.0, -2.0, *[0.0] * 5], title="Why", towards="food")
    drawn = pd.DataFrame(figure.chart.data)
    assert drawn["unit"].tolist() == units[:4]
    assert figure.chart.title == "Why (the last 5 have no score)"
    assert len(figure.data) == 9
    short = token_scores(units, [0.0, 1.0, 0.0, -2.0, 0.5, 0.1, 0.0, 0.0, 0.0], title="Why", towards="food")
    assert len(short.chart.data) == 9
    assert len(token_scores(units, [0.0] * 9, title="Why", towards="food").chart.data) == 9


@pytest.mark.parametrize("tokens", [TOKENS, CHINESE])
def test_token_scores(check, tokens):
    figure = token_scores(tokens, [0.0, 0.5, -1.0, 0.2, 0.0], title="What speaks for food", towards="food", away="tea")
    spec = check(figure)
    assert len(drawn(spec)["name"].unique()) == 5, "equal tokens stay apart"
    assert spec["encoding"]["x"]["scale"]["domain"] == [-1.0, 1.0]
    assert set(drawn(spec)["speaks for"]) == {"food", "tea"}
    assert f"{tokens[1]!r} +0.50" in figure.alt
    assert list(figure.data["unit"]) == tokens


@pytest.mark.parametrize(("units", "scores"), [(["word"], [0.0]), (["word"], [-2.0]), ([], [])])
def test_scores_of_next_to_nothing(check, units, scores):
    figure = token_scores(units, scores, title="Why", towards="food")
    spec = check(figure)
    low, high = spec["encoding"]["x"]["scale"]["domain"]
    assert low < 0 < high


def test_only_what_speaks_for_a_class_is_said_to_do_so():
    figure = token_scores(["a", "b"], [-1.0, -2.0], title="Why", towards="food")
    assert figure.alt == "Why. Nothing speaks for food."


@pytest.mark.parametrize("tokens", [TOKENS, CHINESE, ["[CLS]"]])
def test_layers_by_token(check, tokens):
    values = np.arange(3 * len(tokens), dtype=float).reshape(3, len(tokens)) + 1
    figure = layer_by_token(values, tokens, title="Size", unit="Share")
    spec = check(figure)
    assert drawn(spec)["share"].max() == 1
    assert f"in layer 2: {values.max():.2f}" in figure.alt
    check(layer_by_token(values * 0, tokens, title="Size", unit="Share"))


@pytest.mark.parametrize("tokens", [TOKENS, CHINESE, ["[CLS]"]])
def test_tokens_by_token(check, tokens):
    weights = np.full((len(tokens), len(tokens)), 1 / len(tokens))
    figure = token_by_token(weights, tokens, title="Attention")
    check(figure)
    assert len(figure.data) == len(tokens) ** 2


def test_the_strongest_link_is_named():
    weights = np.eye(5)
    weights[3, 2] = 0.9
    figure = token_by_token(weights, TOKENS, title="Attention")
    assert figure.alt == "Attention. The strongest link goes from 'the' to 'train': 0.90."


def test_of_a_long_text_the_first_tokens_are_drawn(check):
    tokens = [f"w{n}" for n in range(100)]
    figure = token_by_token(np.full((100, 100), 0.01), tokens, title="Attention")
    spec = check(figure)
    assert spec["title"] == f"Attention (first {MAX_TOKENS} of 100 tokens)"
    assert len(drawn(spec)) == MAX_TOKENS**2
    by_layer = layer_by_token(np.ones((3, 100)), tokens, title="Size", unit="Share")
    assert len(drawn(check(by_layer))) == 3 * MAX_TOKENS


@pytest.mark.parametrize("shape", [(6, 12), (1, 1)])
def test_how_widely_the_heads_look(check, shape):
    entropies = np.arange(np.prod(shape), dtype=float).reshape(shape) + 0.5
    figure = head_entropies(entropies)
    check(figure)
    assert figure.alt == "The most focused head is head 1 of layer 1 with 0.50 nats."
