"""Answering requests: predictor, batcher, records and Prometheus metrics in one place."""

import asyncio
import time
from collections import Counter as Count
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from lmcore.serving.batcher import MAX_WAITING, Batcher, Ticket
from lmcore.serving.failed import FailedPrediction
from lmcore.serving.monitor import RequestLog, RequestRecord, ServingStats
from lmcore.serving.predictor import Predictor
from lmcore.types import Input, Prediction

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class PredictionService:
    """Answers texts with one model version and records each request before it is answered.

    Args:
        predictor: the model.
        records: the file of the request records; None keeps them in memory.
        max_waiting: most texts that may wait for the model.
    """

    def __init__(self, predictor: Predictor, *, records: Path | None = None, max_waiting: int = MAX_WAITING) -> None:
        self.predictor = predictor
        self.version = predictor.version
        self.since = time.time()
        self.metrics = CollectorRegistry()
        self._log = RequestLog(records)
        self._batcher = Batcher(predictor.predict, finished=self._finished, max_waiting=max_waiting)
        self._requests = Counter("lmscope_requests", "Requests answered.", ["status"], registry=self.metrics)
        self._labels = Counter("lmscope_predictions", "Texts predicted.", ["label"], registry=self.metrics)
        self._latency = Histogram(
            "lmscope_latency_seconds",
            "Time from a request to its predictions.",
            buckets=_SECONDS,
            registry=self.metrics,
        )
        waiting = Gauge("lmscope_waiting_texts", "Texts that wait for the model.", registry=self.metrics)
        waiting.set_function(lambda: self._batcher.waiting)
        Info("lmscope_model", "The model version that answers.", registry=self.metrics).info({"version": self.version})

    async def answer(self, texts: Sequence[Input]) -> list[dict[str, Any]]:
        """Return what the API says about each text.

        Returns:
            ``label``, ``probabilities`` and ``version`` for each text, with ``spans`` and ``text`` where there are some, or
            ``error`` where it could not be predicted.

        Raises:
            ServerError: too many texts wait already.
        """
        predictions = await asyncio.wrap_future(self._batcher.submit(texts))
        return [self._describe(item) for item in predictions]

    def refuse(self, status: int) -> None:
        """Record a request that is answered without the model."""
        self._log.add([RequestRecord(time.time(), 0.0, 0, status, self.version)])
        self._requests.labels(str(status)).inc()

    def stats(self) -> ServingStats:
        """Return what was answered since the service began."""
        return self._log.stats(self.since)

    def close(self) -> None:
        """Answer what waits, then close the records."""
        self._batcher.close()
        self._log.close()

    def _describe(self, item: Prediction) -> dict[str, Any]:
        if isinstance(item, FailedPrediction):
            return {"error": item.error}
        answer: dict[str, Any] = {"label": item.label, "probabilities": dict(item.probabilities)}
        if item.spans:
            answer["spans"] = [asdict(span) for span in item.spans]
        if item.text:
            answer["text"] = item.text
        return {**answer, "version": self.version}

    def _finished(self, answers: Sequence[tuple[Ticket, list[Prediction]]]) -> None:
        records = [self._record(ticket, predictions) for ticket, predictions in answers]
        self._log.add(records)
        for record in records:
            self._requests.labels(str(record.status)).inc()
            self._latency.observe(record.latency_ms / 1000)
            for label, count in record.labels.items():
                self._labels.labels(label).inc(count)

    def _record(self, ticket: Ticket, predictions: list[Prediction]) -> RequestRecord:
        good = [item for item in predictions if not isinstance(item, FailedPrediction)]
        labels = Count(item.label for item in good if item.label)
        status = 200 if good else 422
        return RequestRecord(ticket.received, ticket.latency_ms, len(good), status, self.version, labels)
