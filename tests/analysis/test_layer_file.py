import os

import numpy as np
import pytest

from lmcore.analysis import layer_file
from lmcore.analysis.layer_file import LAYER_FILE, LayerFile


def pieces(array, *lengths):
    return np.split(array, np.cumsum(lengths)[:-1])


def test_pieces_land_at_their_place_in_any_order(tmp_path, monkeypatch):
    monkeypatch.setattr(layer_file, "_PIECES", 2)
    monkeypatch.setattr(layer_file, "_FLUSH_BYTES", 50)
    array = np.random.default_rng(0).normal(size=(2, 9, 3)).astype(np.float32)
    with LayerFile(tmp_path, array.shape) as file:
        file.write(1, 0, pieces(array[1, :6], 1, 2, 3))
        file.write(0, 6, [array[0, 6:]])
        file.write(0, 0, pieces(array[0, :6], 2, 2, 2))
        file.write(1, 6, [array[1, 6:]])
    stored = np.fromfile(tmp_path / LAYER_FILE, dtype=np.float32).reshape(array.shape)
    assert np.array_equal(stored, array)


def test_a_write_that_takes_only_a_part_is_finished(tmp_path, monkeypatch):
    whole = os.pwritev

    def part(handle, buffers, offset):
        return whole(handle, [bytes(buffers[0])[:5]], offset)

    monkeypatch.setattr(os, "pwritev", part)
    array = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    with LayerFile(tmp_path, array.shape) as file:
        file.write(0, 0, pieces(array[0], 1, 3))
    assert np.array_equal(np.fromfile(tmp_path / LAYER_FILE, dtype=np.float32), array.ravel())


def test_a_flush_that_fails_in_the_background_is_not_lost(tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(layer_file, "_FLUSH_BYTES", 1)
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output error"), LayerFile(tmp_path, (1, 2, 3)) as file:
        file.write(0, 0, [np.zeros((2, 3), dtype=np.float32)])
