import numpy as np
import pytest

from lmcore.analysis import part_contributions, stream_contributions
from lmcore.errors import InputError
from tests.analysis.told import rises_and_stops
from tests.tasks.speakers import speaker


def test_parts_of_a_sum_have_their_known_shares():
    parts = [(1, 1), (-1, 0), (2, 1)]
    assert part_contributions(parts, (2, 2)) == pytest.approx([0.43613, 0, 0.56387], abs=1e-5)
    many = np.stack([np.tile(part, (4, 3, 1)) for part in parts])
    assert part_contributions(many).shape == (3, 4, 3)
    assert part_contributions(many)[:, 2, 1] == pytest.approx(part_contributions(parts))
    assert part_contributions([(1, 0), (-1, 0)]).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("parts", "total"), [([1, 2], None), ([[1, 2]], [1, 2, 3]), ([[np.nan, 1]], None), (np.zeros((0, 2)), None)]
)
def test_what_is_no_sum_is_refused(parts, total):
    with pytest.raises(InputError):
        part_contributions(parts, total)


@pytest.mark.parametrize("encoder", [False, True])
def test_the_stream_after_each_block_is_shared_among_what_came_in_and_what_was_added(encoder):
    loaded = speaker("completion" if encoder else "text-generation", encoder=encoder)
    text = "Anna told us [MASK] day" if encoder else "Anna told us"
    found = stream_contributions(loaded, text, output="on day" if not encoder else None)
    frame = found.to_frame()
    sums = frame.groupby(["layer", "block", "position"])["share"].sum()
    assert sums.to_numpy() == pytest.approx(1)
    assert frame["share"].between(0, 1).all()
    assert set(frame["part"]) >= {"stream", "head 1", "head 4", "mlp"}
    assert frame["token"].nunique() > 2


def test_a_head_that_adds_nothing_has_no_share():
    import torch

    loaded = speaker("text-generation")
    with torch.no_grad():
        loaded.model.model.layers[0].self_attn.o_proj.weight[:, :8] = 0  # the first of four heads of 8 numbers
    frame = stream_contributions(loaded, "Anna told us", output="on day").to_frame()
    first = frame[(frame["layer"] == 1) & (frame["part"] == "head 1")]
    assert first["share"].to_numpy() == pytest.approx(0, abs=1e-6)
    assert frame[(frame["layer"] == 2) & (frame["part"] == "head 1")]["share"].max() > 0


def test_progress_rises_block_by_block_and_it_can_be_stopped():
    loaded = speaker("text-generation")

    def work(report):
        return stream_contributions(loaded, "Anna told us", output="on day", report=report)

    told = rises_and_stops(work)
    assert told.to_frame().equals(stream_contributions(loaded, "Anna told us", output="on day").to_frame())
    rises_and_stops(work, stop_at=0.6)


def test_what_is_given_as_written_is_not_written_anew(monkeypatch):
    loaded = speaker("text-generation")

    def write(*given, **named):
        raise AssertionError("the model wrote")

    monkeypatch.setattr(type(loaded.model), "generate", write)
    assert stream_contributions(loaded, "Anna told us", output="on day").output == "on day"
