"""Dynamic batching without a timer: one thread takes whatever is waiting, at once."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from lmcore.errors import ServerError
from lmcore.types import Input, Prediction

MAX_BATCH = 64
MAX_WAITING = 512
Predict = Callable[[Sequence[Input]], list[Prediction]]


@dataclass(eq=False)
class Ticket:
    """One request on its way: its texts, when it came, and where its predictions will be.

    Attributes:
        texts: what to predict.
        received: seconds since 1970.
        started: the same moment on the monotonic clock.
        answer: resolves to one prediction for each text.
        latency_ms: time from then to its predictions; 0 before.
    """

    texts: Sequence[Input]
    received: float = field(default_factory=time.time)
    started: float = field(default_factory=time.perf_counter)
    answer: "Future[list[Prediction]]" = field(default_factory=Future)
    latency_ms: float = 0.0


class Batcher:
    """Joins the requests that wait while the model is busy into its next batch.

    A lone request never waits for company, and under load the batches grow by themselves.

    Args:
        predict: called from one thread only, with the texts of one or more requests.
        finished: called in that thread with the requests and predictions of a batch before they are answered.
        max_batch: no further request joins a batch of this many texts.
        max_waiting: most texts that may wait; further requests are refused.
    """

    def __init__(
        self,
        predict: Predict,
        *,
        finished: "Callable[[Sequence[tuple[Ticket, list[Prediction]]]], None] | None" = None,
        max_batch: int = MAX_BATCH,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._predict, self._finished = predict, finished
        self._max_batch, self._max_waiting = max_batch, max_waiting
        self._queue: deque[Ticket] = deque()
        self._waiting = 0
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="predict")

    @property
    def waiting(self) -> int:
        """How many texts wait for the model now."""
        return self._waiting

    def submit(self, texts: Sequence[Input]) -> "Future[list[Prediction]]":
        """Queue a request.

        Raises:
            ServerError: too many texts wait already.
        """
        ticket = Ticket(texts)
        with self._lock:
            if self._waiting and self._waiting + len(texts) > self._max_waiting:
                raise ServerError(f"The server is busy, {self._waiting} texts wait already: try again in a second.")
            self._queue.append(ticket)
            self._waiting += len(texts)
        # Each request asks for a turn; the first turn takes all that wait, and the others find nothing to do.
        self._thread.submit(self._turn)
        return ticket.answer

    def close(self) -> None:
        """Answer what waits and end the thread."""
        self._thread.shutdown(wait=True)

    def _turn(self) -> None:
        batch = [ticket for ticket in self._take() if ticket.answer.set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            predictions = self._predict([text for ticket in batch for text in ticket.texts])
            answers = _share_out(batch, predictions)
            if self._finished:
                self._finished(answers)
        except BaseException as error:
            for ticket in batch:
                ticket.answer.set_exception(error)
            raise
        for ticket, own in answers:
            ticket.answer.set_result(own)

    def _take(self) -> list[Ticket]:
        taken: list[Ticket] = []
        texts = 0
        with self._lock:
            while self._queue and (not taken or texts + len(self._queue[0].texts) <= self._max_batch):
                taken.append(self._queue.popleft())
                texts += len(taken[-1].texts)
            self._waiting -= texts
        return taken


def _share_out(batch: Sequence[Ticket], predictions: list[Prediction]) -> list[tuple[Ticket, list[Prediction]]]:
    now = time.perf_counter()
    answers, start = [], 0
    for ticket in batch:
        ticket.latency_ms = 1000 * (now - ticket.started)
        answers.append((ticket, predictions[start : start + len(ticket.texts)]))
        start += len(ticket.texts)
    return answers
