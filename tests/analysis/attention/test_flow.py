import networkx as nx
import numpy as np
import pytest

from lmcore.analysis import attention_flow, attention_rollout
from lmcore.analysis.attention.flow import flow_seconds, said_flows
from lmcore.errors import Cancelled, InputError
from lmcore.types import Silent
from tests.analysis.told import rises_and_stops

FIRST = np.array([[1, 0], [0.5, 0.5]])
SECOND = np.array([[1, 0], [0.25, 0.75]])


def oracle(maps: np.ndarray) -> np.ndarray:
    """The same by networkx over real capacities, with its own algorithm."""
    layers, size = maps.shape[:2]
    graph = nx.DiGraph()
    for layer in range(layers):
        widths = (maps[layer] + np.eye(size)) / 2
        for i in range(size):
            for j in range(size):
                if widths[i, j] > 0:
                    graph.add_edge((layer + 1, i), (layer, j), capacity=widths[i, j])
    graph.add_nodes_from((layer, i) for layer in range(layers + 1) for i in range(size))
    return np.array([[nx.maximum_flow_value(graph, (layers, i), (0, j)) for j in range(size)] for i in range(size)])


def test_flow_of_a_graph_worked_out_by_hand():
    """From token 1: to 0 through itself min(.875, .25) and through 0 min(.125, 1); to 1 only through itself, .75."""
    flow = attention_flow(np.array([FIRST, SECOND]))
    assert flow == pytest.approx(np.array([[1, 0], [0.125 + 0.25, 0.75]]), abs=1e-9)


def test_of_two_layers_each_middle_token_lets_the_narrower_edge_through():
    maps = np.random.default_rng(0).dirichlet(np.ones(6), size=(2, 6))
    lower, upper = (maps + np.eye(6)) / 2
    by_hand = [[np.minimum(upper[i], lower[:, j]).sum() for j in range(6)] for i in range(6)]
    assert attention_flow(maps) == pytest.approx(np.array(by_hand), abs=1e-7)


def test_of_one_layer_flow_is_rollout():
    maps = np.random.default_rng(1).dirichlet(np.ones(5), size=(1, 3, 5))
    assert attention_flow(maps) == pytest.approx(attention_rollout(maps), abs=1e-8)


@pytest.mark.parametrize(
    ("layers", "size", "spread", "causal"), [(3, 5, 1.0, False), (4, 4, 0.2, False), (3, 6, 1.0, True)]
)
def test_flow_is_that_of_an_independent_algorithm(layers, size, spread, causal):
    for seed in range(3):
        maps = np.random.default_rng(seed).dirichlet(np.full(size, spread), size=(layers, size))
        if causal:
            maps = np.tril(maps) / np.tril(maps).sum(axis=-1, keepdims=True)
        assert attention_flow(maps) == pytest.approx(oracle(maps), abs=1e-7)


def test_flow_is_at_least_rollout_and_at_most_one():
    maps = np.random.default_rng(2).dirichlet(np.ones(7), size=(5, 2, 7))
    flow = attention_flow(maps)
    assert (flow >= attention_rollout(maps) - 1e-7).all()
    assert flow.max() <= 1 + 1e-7


def test_only_some_tokens_are_begun_from():
    maps = np.random.default_rng(3).dirichlet(np.ones(4), size=(3, 4))
    assert (attention_flow(maps, tokens=[3, 1]) == attention_flow(maps)[[3, 1]]).all()


@pytest.mark.parametrize("tokens", [[2], [-1]])
def test_a_token_that_is_not_there_is_refused(tokens):
    with pytest.raises(InputError, match=f"no token {tokens[0]}: the text has 2"):
        attention_flow(np.array([FIRST, SECOND]), tokens=tokens)


def test_a_wrong_shape_is_refused():
    with pytest.raises(InputError, match="give \\(layers, heads, tokens, tokens\\)"):
        attention_flow(np.ones((2, 3)))


def test_the_work_stops_when_asked():
    class Stop(Silent):
        def check(self):
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        attention_flow(np.array([FIRST, SECOND]), report=Stop())


def test_a_flow_can_be_stopped_between_two_tokens_of_one():
    maps = np.array([FIRST, SECOND])
    found = rises_and_stops(lambda report: attention_flow(maps, tokens=[1], report=report))
    assert found == pytest.approx(attention_flow(maps)[1:])


def test_what_flows_take_grows_with_their_number_and_the_edges():
    assert flow_seconds(6, 64, 10) == pytest.approx(10 * flow_seconds(6, 64, 1))
    assert flow_seconds(12, 512, 1) > 1.9 * flow_seconds(6, 512, 1)
    assert flow_seconds(6, 512, 1) > 3 * flow_seconds(6, 256, 1)
    assert said_flows(2, 1, 1) == "1 flow, less than a second"
    assert said_flows(6, 512, 1024) == "1,024 flows, about 49 s"
