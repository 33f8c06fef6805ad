"""How large and sparse vectors are, and the file that they are written to."""

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from lmcore.analysis import extract_activations, layer_sizes, vector_file
from lmcore.analysis.activations import Activations
from lmcore.analysis.vector_file import write_vectors
from lmcore.errors import StorageError

TEXTS = ["rain", "bread and soup on the train today", ""]


@pytest.fixture
def vectors(tiny_loaded):
    return extract_activations(tiny_loaded, TEXTS)


def made_of(found, values):
    """Return the same activations with other values in each layer."""
    return Activations(values, found.starts, found.encodings, found.tokenizer, "x", first_layer=found.first_layer)


def test_sizes_of_known_vectors(vectors):
    values = np.zeros_like(vectors.values)
    values[0] = 2.0  # every feature alike
    values[1, :, 5] = -3.0  # one alone
    place = int(vectors.starts[1]) + 2
    values[2, place, :2] = 3.0, 4.0
    sizes = layer_sizes(made_of(vectors, values))
    width, tokens = values.shape[2], int(vectors.encodings.plain.sum())
    assert sizes["norm"].tolist() == pytest.approx([2 * width**0.5, 3.0, 5.0 / tokens])
    assert sizes["sparsity"].tolist() == pytest.approx([0.0, 1.0, (width**0.5 - 1.4) / (width**0.5 - 1)], abs=1e-6)
    assert sizes.iloc[2][["largest", "text", "position", "token"]].tolist() == [5.0, 1, 2, "and"]


def test_special_tokens_count_only_where_there_are_no_others(tiny_loaded, vectors):
    plain = [vectors.norms(text)[:, 1:-1] for text in range(3)]
    assert layer_sizes(vectors)["norm"].to_numpy() == pytest.approx(np.hstack(plain).mean(axis=1), rel=1e-6)
    empty = extract_activations(tiny_loaded, [""])
    assert layer_sizes(empty)["norm"].to_numpy() == pytest.approx(empty.norms(0).mean(axis=1), rel=1e-6)


def test_the_file_has_every_vector_and_what_it_belongs_to(vectors, tmp_path, monkeypatch):
    monkeypatch.setattr(vector_file, "_PIECE", 100)  # several pieces a layer
    path = tmp_path / "vectors.safetensors"
    write_vectors(vectors, path)
    kept = load_file(path)
    assert sorted(kept) == ["ids", "layer.0", "layer.1", "layer.2", "positions", "texts"]
    for layer in range(3):
        assert np.array_equal(kept[f"layer.{layer}"], vectors.values[layer])
    for text, ids in enumerate(vectors.encodings.ids):
        own = kept["texts"] == text
        assert kept["ids"][own].tolist() == ids
        assert kept["positions"][own].tolist() == list(range(len(ids)))
        assert np.array_equal(kept["layer.1"][own], vectors.layer(1, text))
    with safe_open(path, "numpy") as file:
        assert file.metadata() == {"component": "states", "stack": "layers", "fingerprint": vectors.fingerprint}


def test_a_full_disk_leaves_the_old_file(vectors, tmp_path, monkeypatch):
    path = tmp_path / "vectors.safetensors"
    path.write_bytes(b"old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vector_file, "_write_tensors", refuse)
    with pytest.raises(StorageError, match="The disk is full"):
        write_vectors(vectors, path)
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
