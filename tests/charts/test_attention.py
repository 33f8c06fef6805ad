import numpy as np
import pandas as pd
import pytest

from lmcore.analysis.attention.roles import NO_ROLE
from lmcore.charts.attention import MAX_CELLS, head_roles, head_values, heads_overview, output_by_source, token_shares

RNG = np.random.default_rng(0)


def maps(layers: int, heads: int, rows: int, columns: int) -> np.ndarray:
    return RNG.dirichlet(np.full(columns, 0.3), size=(layers, heads, rows))


@pytest.mark.parametrize(
    ("layers", "heads", "rows", "columns"), [(6, 12, 9, 9), (30, 9, 40, 40), (2, 3, 5, 8), (1, 1, 1, 1)]
)
def test_all_heads_are_small_multiples_in_one_chart(check, layers, heads, rows, columns):
    weights = maps(layers, heads, rows, columns)
    tokens = [f"t{n}" for n in range(columns)]
    figure = heads_overview(weights, tokens[:rows], tokens, title="Where all heads look")
    spec = check(figure)
    assert max(len(values) for values in spec["datasets"].values()) <= 5000
    frame = figure.data
    assert len(frame) <= max(MAX_CELLS, layers * heads * 4)
    assert len(frame.drop_duplicates(["layer", "head"])) == layers * heads
    sums = frame.groupby(["layer", "head", "from"])["weight"].sum()
    assert sums.to_numpy() == pytest.approx(np.ones(len(sums)), abs=2e-2)
    sharpest = weights.max(axis=-1).mean(axis=-1)
    layer, head = np.unravel_index(sharpest.argmax(), sharpest.shape)
    assert f"Head {head + 1} of layer {layer + 1} looks most sharply" in figure.alt


def test_few_tokens_are_drawn_as_they_are_and_many_share_cells():
    weights = maps(2, 2, 4, 4)
    few = heads_overview(weights, list("abcd"), list("abcd"), title="All").data
    one = few[(few["layer"] == 2) & (few["head"] == 1) & (few["from"] == "c")].set_index("to")["weight"]
    assert one.to_numpy() == pytest.approx(weights[1, 0, 2], abs=1e-4)
    tokens = [f"t{n}" for n in range(48)]
    many = heads_overview(np.tile(np.eye(48), (1, 1, 1, 1)), tokens, tokens, title="All").data
    assert many[many["weight"] > 0]["weight"].unique() == pytest.approx([1])
    assert many["from"].iloc[0] == "t0 … t1"


@pytest.mark.parametrize("tokens", [["物", "流", "</s>"], ["a", "a", "</s>"]])
def test_an_output_over_its_source(check, tokens):
    figure = output_by_source(np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]), tokens, ["x", "y"], title="Cross")
    check(figure)
    assert len(figure.data) == 6
    assert f"from {tokens[0]!r} to 'x': 0.90" in figure.alt


def test_numbers_of_heads_with_and_without_a_sign(check):
    values = np.array([[0.1, -0.7], [0.3, np.nan]])
    figure = head_values(values, title="What hangs on each head", unit="Logits", signed=True)
    spec = check(figure)
    assert spec["encoding"]["color"]["scale"]["domain"] == [-0.7, 0.7]
    assert "head 2 of layer 1, -0.7 (logits)" in figure.alt
    assert len(figure.data) == 3
    assert "no head has a number" in head_values(np.full((1, 2), np.nan), title="Score", unit="Score").alt
    assert check(head_values(np.abs(values), title="Far", unit="Tokens"))


def test_the_strongest_role_has_a_sign_and_none_stays_blank(check):
    frame = pd.DataFrame(
        {
            "layer": [1, 1, 2, 2],
            "head": [1, 2, 1, 2],
            "role": ["induction", "induction", "previous_token", NO_ROLE],
            "score": [0.9, 0.5, 1.0, 0.1],
        }
    )
    figure = head_roles(frame)
    spec = check(figure)
    drawn = pd.DataFrame(next(iter(spec["datasets"].values())))
    assert drawn["sign"].tolist() == ["↻", "↻", "←", ""]
    assert "induction 2, previous token 1, no clear role 1" in figure.alt
    check(head_roles(frame.assign(role=NO_ROLE)))


def test_rollout_and_flow_side_by_side(check):
    shares = {"Rollout": np.array([0.6, 0.4]), "Flow": np.array([0.3, 0.7])}
    figure = token_shares(shares, ["a", "a"], title="What 'b' has", unit="Share (0 to 1)")
    check(figure)
    assert len(figure.data) == 4
    assert "by rollout most comes from 'a' (0.60), by flow most comes from 'a' (0.70)" in figure.alt
