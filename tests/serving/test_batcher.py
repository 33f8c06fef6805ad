import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from lmcore.errors import ServerError
from lmcore.serving.batcher import Batcher
from lmcore.types import Prediction

SECONDS = 20


class Gate:
    """A predictor that waits until it is let go, and remembers its batches."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.batches: list[list[str]] = []

    def predict(self, texts):
        self.batches.append(list(texts))
        self.entered.set()
        assert self.go.wait(SECONDS)
        return [Prediction(number, label=text) for number, text in enumerate(texts)]


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def batcher(gate):
    made = Batcher(gate.predict, max_batch=8, max_waiting=10)
    yield made
    gate.go.set()
    made.close()


def labels(answer: Future) -> list[str]:
    return [item.label for item in answer.result(SECONDS)]


def test_a_lone_request_goes_at_once_and_those_that_wait_go_together(gate, batcher):
    first = batcher.submit(["a"])
    assert gate.entered.wait(SECONDS)
    others = [batcher.submit([name]) for name in "bcd"] + [batcher.submit(["e", "f"])]
    assert batcher.waiting == 5
    gate.go.set()
    assert labels(first) == ["a"]
    assert [labels(answer) for answer in others] == [["b"], ["c"], ["d"], ["e", "f"]]
    assert gate.batches == [["a"], ["b", "c", "d", "e", "f"]]
    assert batcher.waiting == 0


def test_a_batch_has_a_cap_and_a_request_is_never_split(gate, batcher):
    batcher.submit(["a"])
    assert gate.entered.wait(SECONDS)
    answers = [batcher.submit([f"{name}{i}" for i in range(5)]) for name in "bc"]
    gate.go.set()
    wait(answers, SECONDS)
    assert [len(batch) for batch in gate.batches] == [1, 5, 5]


def test_a_request_larger_than_the_cap_runs_alone(gate, batcher):
    gate.go.set()
    assert len(labels(batcher.submit([str(i) for i in range(30)]))) == 30


def test_too_many_waiting_texts_are_refused_and_the_others_answered(gate, batcher):
    first = batcher.submit(["a"])
    assert gate.entered.wait(SECONDS)
    waiting = batcher.submit(["b"] * 9)
    with pytest.raises(ServerError, match="9 texts wait already"):
        batcher.submit(["c", "d"])
    last = batcher.submit(["e"])
    gate.go.set()
    assert [len(labels(answer)) for answer in (first, waiting, last)] == [1, 9, 1]
    assert labels(batcher.submit(["f"])) == ["f"]


def test_a_cancelled_request_is_left_out(gate, batcher):
    batcher.submit(["a"])
    assert gate.entered.wait(SECONDS)
    gone, kept = batcher.submit(["b"]), batcher.submit(["c"])
    assert gone.cancel()
    gate.go.set()
    assert labels(kept) == ["c"]
    assert gate.batches == [["a"], ["c"]]


def test_an_unforeseen_error_reaches_its_callers_and_the_thread_lives_on():
    def predict(texts):
        if "bad" in texts:
            raise OSError("disk")
        return [Prediction(0, label="fine") for _ in texts]

    batcher = Batcher(predict)
    with pytest.raises(OSError, match="disk"):
        batcher.submit(["bad"]).result(SECONDS)
    assert labels(batcher.submit(["a"])) == ["fine"]
    batcher.close()


def test_finished_is_called_before_the_answer(gate):
    seen = []
    batcher = Batcher(gate.predict, finished=lambda answers: seen.append(answers))
    gate.go.set()
    answer = batcher.submit(["a", "b"])
    answer.add_done_callback(lambda _: seen.append("answered"))
    batcher.close()
    ticket, predictions = seen[0][0]
    assert [item.label for item in predictions] == ["a", "b"]
    assert ticket.latency_ms > 0
    assert seen[1] == "answered"


def test_many_callers_at_once_get_what_single_predictions_give(predictor):
    texts = [
        f"the {word} was {'very ' * (number % 7)}good {number}" for number, word in enumerate(["rain", "soup"] * 40)
    ]
    alone = [predictor.predict([text])[0] for text in texts]
    batches = []

    def predict(batch):
        batches.append(len(batch))
        return predictor.predict(batch)

    batcher = Batcher(predict)
    with ThreadPoolExecutor(32) as callers:
        answers = list(callers.map(lambda text: batcher.submit([text]).result(SECONDS)[0], texts))
    batcher.close()
    assert max(batches) > 1
    assert sum(batches) == len(texts)
    for one, joined in zip(alone, answers, strict=True):
        assert joined.label == one.label
        assert joined.probabilities == pytest.approx(one.probabilities, abs=1e-5)
