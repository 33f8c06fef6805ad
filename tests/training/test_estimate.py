from contextlib import nullcontext
from dataclasses import replace

import pytest

from lmcore.errors import DataError, InputError, ResourceError
from lmcore.memory import Memory
from lmcore.settings import MIB
from lmcore.training.config import TrainConfig
from lmcore.training.distributed.workers import Workers
from lmcore.training.estimate import Estimate, estimate_training
from lmcore.training.methods import TRAINING
from lmcore.training.needs import check_room, weight_bytes


@pytest.fixture
def estimate(topics, tiny_ref, settings):
    def make(data=topics, **options):
        return estimate_training(TrainConfig(**{"name": "x", "model": str(tiny_ref)} | options), data, settings)

    return make


def test_a_small_run_is_short_and_fits(estimate):
    for method in ("head", "full"):
        found = estimate(method=method)
        assert 0 < found.seconds < 60
        assert 100 * MIB < found.nbytes < 2000 * MIB
        assert found.truncated_share == 0
        assert found.knows_language


def test_more_work_takes_longer_and_more_memory(estimate):
    few, many = (estimate(method="full", epochs=epochs) for epochs in (1, 1000))
    assert many.seconds > few.seconds * 2
    assert estimate(method="full", batch_size=1024).nbytes > estimate(method="full", batch_size=1).nbytes


def test_memory_that_is_short_is_said(estimate, monkeypatch):
    for available, fits in ((1 * MIB, False), (10**12, True)):
        monkeypatch.setattr("lmcore.training.needs.read_memory", lambda available=available: Memory(10**13, available))
        found = estimate()
        assert found.available == available
        assert found.fits == fits


def test_the_limit_of_unknown_tokens_is_five_per_cent():
    assert Estimate(1, 1, 1, 0, 0.05).knows_language
    assert not Estimate(1, 1, 1, 0, 0.051).knows_language


def test_a_start_that_does_not_fit_is_refused_with_the_figures():
    found = Estimate(1, 600 * MIB, 1000 * MIB, 0, 0)
    found.check()
    with pytest.raises(ResourceError, match="takes about 1,200 MiB of memory and 1,000 MiB are free: take a smaller"):
        found.check(2)


def test_texts_that_are_cut_or_unknown_are_counted(estimate, topics):
    frame = topics.frame.assign(text=["我们 去 吃饭 rain" + " rain" * 20 * (n % 2) for n in range(len(topics))])
    found = estimate(data=replace(topics, frame=frame), max_length=16)
    assert found.truncated_share == pytest.approx(0.5, abs=0.15)
    assert not found.knows_language


def test_a_model_from_a_configuration_is_timed_too(estimate):
    found = estimate(model="config:bert-small", method="scratch")
    assert found.nbytes > estimate(method="full").nbytes
    assert found.unknown_share < 0.2


def test_what_cannot_be_trained_cannot_be_estimated(estimate, topics, topic_frame):
    with pytest.raises(DataError, match="not split yet"):
        estimate(data=replace(topics, frame=topic_frame))
    with pytest.raises(DataError, match="The train split of 'topics' has no rows"):
        estimate(data=replace(topics, frame=topics.frame.assign(split="test")))
    with pytest.raises(InputError, match="There is no model at"):
        estimate(model="folder:/nowhere")


@pytest.mark.parametrize("method", ["head", "full", "lora", "scratch"])
def test_a_training_that_would_not_fit_does_not_begin(make_job, monkeypatch, method):
    model = {"model": "config:bert-small"} if method == "scratch" else {}
    job = make_job(method=method, epochs=1, save_steps=1, **model)
    run = TRAINING[method].load()
    monkeypatch.setattr("lmcore.training.needs.read_memory", lambda: Memory(10**13, 1 << 10))
    with pytest.raises(
        ResourceError, match=r"This takes about [\d,]+ MiB of memory and 0 MiB are free: take a smaller"
    ):
        run(job)
    assert not list(job.scratch.glob("checkpoint-*")), "it was refused before the first step"


class Both(Workers):
    """Two processes of one machine, of which the other says the same or, where ``lacks`` is set, has no room."""

    lacks = False

    def agree(self, flag: bool) -> bool:
        return flag or self.lacks

    def wait(self) -> None:
        """Go on: the other is here."""


@pytest.mark.parametrize(
    ("free", "lacks", "said"), [(200, False, ""), (199, False, "MiB are free"), (200, True, "another")]
)
def test_processes_of_a_machine_share_what_is_free_there(make_job, tiny_loaded, monkeypatch, free, lacks, said):
    job = replace(make_job(), workers=Both(0, 2, 2))
    monkeypatch.setattr(Both, "lacks", lacks)
    monkeypatch.setattr("lmcore.training.needs.read_memory", lambda: Memory(10**13, free))
    with pytest.raises(ResourceError, match=said) if said else nullcontext():
        check_room(job, tiny_loaded.model, weight_bytes(tiny_loaded.model) + 100)


def test_what_a_loaded_model_holds_already_is_not_asked_for_again(make_job, tiny_loaded, monkeypatch):
    job, weights = make_job(), weight_bytes(tiny_loaded.model)
    for free, wanted, fits in ((0, weights, True), (100, weights + 100, True), (99, weights + 100, False)):
        monkeypatch.setattr("lmcore.training.needs.read_memory", lambda free=free: Memory(10**13, free))
        with nullcontext() if fits else pytest.raises(ResourceError):
            check_room(job, tiny_loaded.model, wanted)
