import numpy as np
import pytest

from lmcore.analysis import LayerSimilarity
from lmcore.charts.similarity import layer_change, layer_matrix


def result(matrix, **given):
    return LayerSimilarity(np.asarray(matrix, dtype=float), 20, "f", **{"model": "models:/topics/2", **given})


@pytest.mark.parametrize("layers", [1, 7, 31])
def test_how_alike_the_layers_are(check, layers):
    figure = layer_matrix(result(np.eye(layers)))
    check(figure)
    assert len(figure.data) == layers**2
    assert figure.alt.startswith("Linear CKA between layers. The first and the last layer are alike to ")


def test_two_models_are_named_at_the_axes(check, axis_titles):
    figure = layer_matrix(result([[1.0, 0.5, 0.2], [0.4, 0.9, 0.123]], other="packaged:all-MiniLM-L6-v2"))
    titles = axis_titles(check(figure))
    assert titles["x"] == "Layer of packaged:all-MiniLM-L6-v2 (0: embeddings)"
    assert titles["y"] == "Layer of models:/topics/2"
    assert figure.alt.endswith("The last layers, 1 and 2, are alike to 0.12.")


def test_values_below_zero_have_colours_too(check):
    spec = check(layer_matrix(result([[1.0, -0.25], [-0.25, 1.0]], method="debiased_cka", low=-1.0)))
    assert spec["encoding"]["color"]["scale"]["domain"] == [-0.25, 1]


def test_how_far_each_layer_is_from_that_of_another_model(check):
    figure = layer_change(result([[1.0, 0.5], [0.4, 0.75]], other="packaged:all-MiniLM-L6-v2"))
    check(figure)
    assert figure.data["change"].tolist() == [0.0, 0.25]
    assert "Layer 1 is the farthest with 0.250, layer 0 the nearest with 0.000." in figure.alt


def test_how_far_each_layer_is_from_the_one_before(check):
    figure = layer_change(result([[1.0, 0.5, 0.4], [0.5, 1.0, 0.9], [0.4, 0.9, 1.0]]))
    check(figure)
    assert figure.data["layer"].tolist() == [1, 2]
    assert figure.data["change"].tolist() == pytest.approx([0.5, 0.1])
    check(layer_change(result(np.eye(31))))
    alone = layer_change(result([[1.0]]))
    assert alone.alt.endswith("There is one layer alone.")
