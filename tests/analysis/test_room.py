from dataclasses import replace

import pytest

from lmcore.analysis import attribute, extract_activations, logit_lens, room
from lmcore.analysis.room import check_room, fitting_batch, pass_bytes
from lmcore.errors import ResourceError
from lmcore.memory import Memory
from lmcore.types import Target
from tests.tasks.speakers import speaker

TEXT = "Anna told us on day 3 that nothing is as good as"


@pytest.fixture
def free(monkeypatch):
    def leave(count):
        monkeypatch.setattr(room, "read_memory", lambda: Memory(10 * count, count))

    return leave


def test_a_pass_with_gradients_takes_more_and_maps_that_are_written_down_grow_with_the_square():
    loaded = speaker("text-generation")
    assert pass_bytes(loaded, 200, gradients=True) > pass_bytes(loaded, 200)
    assert pass_bytes(loaded, 400) == 2 * pass_bytes(loaded, 200)
    loaded.model.config._attn_implementation = "eager"
    assert pass_bytes(loaded, 400) > 2 * pass_bytes(loaded, 200)


def test_what_does_not_fit_is_refused_with_the_figure_and_what_to_do(free):
    loaded = speaker("text-generation")
    free(pass_bytes(loaded, 100))
    check_room(loaded, 100)
    with pytest.raises(
        ResourceError, match=r"Running 4096 tokens takes about .* MiB .* at most (\d+) tokens"
    ) as refused:
        check_room(loaded, 4096)
    fitting = int(str(refused.value).split("at most ")[1].split()[0])
    assert 80 <= fitting <= 100


def test_analyses_refuse_before_they_run(free):
    loaded = speaker("text-generation")
    target = Target("phrase", "day", 0, 3)
    tokens = len(attribute(loaded, TEXT, target, output="day", method="gradient_norm").tokens)
    free(pass_bytes(loaded, tokens, read=3))
    with pytest.raises(ResourceError, match="with gradients"):
        attribute(loaded, TEXT, target, output="day")
    assert len(attribute(loaded, TEXT, target, output="day", method="leave_one_out", unit="sentence").scores)
    free(10)
    for call in (logit_lens, attribute):
        with pytest.raises(ResourceError, match="give a text of at most 0 tokens"):
            call(loaded, TEXT, target, output="day")
    with pytest.raises(ResourceError):
        extract_activations(loaded, [TEXT])


def test_fewer_long_texts_are_run_at_once(free):
    loaded = replace(speaker("text-generation"))
    free(3 * pass_bytes(loaded, 50))
    assert fitting_batch(loaded, 50, 32) == 3
    assert fitting_batch(loaded, 5, 2) == 2
