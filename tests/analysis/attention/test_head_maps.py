import numpy as np
import pytest
import torch

from lmcore.analysis import attention_maps, map_heads
from lmcore.analysis.attention.unit_vectors import attention_blocks, coordinates, parameter_blocks, stacked
from lmcore.errors import Cancelled, InputError, OptionError, UnknownError
from lmcore.types import Silent
from tests.analysis.readers import reader

TEXTS = ["we had bread today", "the train was late", "rain and snow"]


def between(x):
    return np.linalg.norm(x[:, None].astype(float) - x[None], axis=-1)


@pytest.mark.parametrize("unit", ["head", "layer"])
def test_points_have_the_distances_of_the_whole_vectors(tiny_loaded, unit):
    whole = stacked(parameter_blocks(tiny_loaded, unit)[1])
    assert whole.shape[0] == (8 if unit == "head" else 2)
    assert between(coordinates(parameter_blocks(tiny_loaded, unit)[1])) == pytest.approx(between(whole), rel=1e-5)
    assert map_heads(tiny_loaded, unit=unit).distances == pytest.approx(between(whole), rel=1e-4, abs=1e-3)


def test_a_layers_vector_is_all_that_it_has(tiny_loaded):
    whole = stacked(parameter_blocks(tiny_loaded, "layer")[1])
    layers = tiny_loaded.model.base_model.encoder.layer
    assert whole.shape == (2, sum(p.numel() for p in layers[0].parameters()))
    assert np.sort(whole[1]) == pytest.approx(np.sort(torch.cat([p.ravel() for p in layers[1].parameters()]).numpy()))


def test_a_heads_vector_is_where_it_looks(tiny_loaded):
    units, blocks = attention_blocks(tiny_loaded, TEXTS, "head")
    whole = stacked(blocks)
    expected = [attention_maps(tiny_loaded, text).attentions.reshape(8, -1) for text in TEXTS]
    assert whole == pytest.approx(np.concatenate(expected, axis=1), abs=1e-5)
    assert units.ids[5] == "layer 2 head 2"
    by_layer = stacked(attention_blocks(tiny_loaded, TEXTS, "layer")[1])
    assert by_layer == pytest.approx(whole.reshape(2, 4, -1).mean(axis=1), abs=1e-5)


@pytest.mark.parametrize("what", ["parameters", "attention"])
@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_every_head_has_its_place(tiny_loaded, what, method):
    found = map_heads(tiny_loaded, what=what, texts=TEXTS, method=method)
    frame = found.to_frame()
    assert frame["id"].tolist() == [f"layer {layer} head {head}" for layer in (1, 2) for head in (1, 2, 3, 4)]
    assert np.isfinite(frame[["x", "y"]]).all(axis=None)
    assert (found.explained_variance is None) == (method == "tsne")
    assert found.parameters["dimensions"] == 2


def test_heads_that_are_alike_lie_together(tiny_loaded):
    with torch.no_grad():
        for layer in tiny_loaded.model.base_model.encoder.layer:
            block = layer.attention.self
            for linear in (block.query, block.key, block.value):
                linear.weight[8:16] = linear.weight[:8]
            layer.attention.output.dense.weight[:, 8:16] = layer.attention.output.dense.weight[:, :8]
    found = map_heads(tiny_loaded)
    assert found.distances[0, 1] == pytest.approx(0, abs=1e-3)
    assert found.distances[0, 2] > 1
    same = found.points[["x", "y"]].to_numpy()
    assert same[0] == pytest.approx(same[1], abs=1e-4)


def test_both_stacks_of_a_translator_are_named():
    found = map_heads(reader("translation"))
    assert found.points["id"].tolist() == [f"{s} layer 1 head {h}" for s in ("encoder", "decoder") for h in (1, 2)]
    assert len(map_heads(reader("translation"), what="attention", texts=["one two"]).points) == 2
    assert len(map_heads(reader("text-generation"), what="attention", texts=["Anna told us"]).points) == 8


def test_what_cannot_be_mapped_is_refused(tiny_loaded):
    with pytest.raises(InputError, match="no texts"):
        map_heads(tiny_loaded, what="attention")
    with pytest.raises(OptionError, match="'gradient' of each 'head'"):
        map_heads(tiny_loaded, what="gradient")
    with pytest.raises(UnknownError, match="projection"):
        map_heads(tiny_loaded, method="map")


def test_it_stops_when_asked(tiny_loaded):
    class Stopped(Silent):
        def check(self):
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        map_heads(tiny_loaded, what="attention", texts=TEXTS, report=Stopped())
