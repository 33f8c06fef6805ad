import gc
import threading
import time
import weakref
from dataclasses import dataclass, replace

import pytest
import torch
from safetensors.torch import save_file

from lmcore.errors import InputError, ResourceError
from lmcore.models.pool import ModelPool
from lmcore.settings import MIB

SECONDS = 20


@dataclass(eq=False)
class Loaded:
    """Stands in for a loaded model."""

    name: str
    task: str
    nbytes: int


class Loader:
    """Loads nothing, but counts its calls, waits where it is told to and fails where it is told to."""

    def __init__(self, larger=1):
        self.calls, self.larger = [], larger
        self.fail = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def __call__(self, ref, task, settings):
        self.calls.append((ref.name.rsplit("/", 1)[-1], task))
        self.entered.release()
        assert self.gate.wait(SECONDS)
        if self.fail:
            raise self.fail
        return Loaded(ref.name.rsplit("/", 1)[-1], task, self.larger * MIB)


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def place(tmp_path):
    """Return a function that makes a model folder of one MiB and returns its reference."""

    def make(name, size=MIB):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "model.safetensors").write_bytes(b"0" * size)
        return f"folder:{tmp_path / name}"

    return make


@pytest.fixture
def pool(settings, loader):
    return ModelPool(replace(settings, pool_bytes=2 * MIB), loader=loader, wait_seconds=SECONDS)


@pytest.fixture
def threads():
    """Return a function that starts a thread; all are joined at the end and must have ended."""
    started = []

    def start(work, *given):
        thread = threading.Thread(target=work, args=given, daemon=True)
        thread.start()
        started.append(thread)
        return thread

    yield start
    for thread in started:
        thread.join(SECONDS)
        assert not thread.is_alive()


def names(pool):
    return [name.rsplit("/", 1)[-1] for name, _ in pool.state().models]


def waiting(pool, count):
    """Wait until so many threads wait for the pool to change."""
    deadline = time.monotonic() + SECONDS
    while len(pool._changed._waiters) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_model_is_loaded_once_and_lent_again(pool, loader, place):
    with pool.lease(place("a")) as first, pool.lease(place("a")) as second:
        assert first is second
    with pool.lease(place("a")) as third:
        assert third is first
    assert loader.calls == [("a", "")]
    assert pool.state().models == ((place("a"), MIB),)
    assert pool.state().budget == 2 * MIB


def test_each_task_is_a_model_of_its_own(pool, loader, place):
    with pool.lease(place("a")) as base, pool.lease(place("a"), "text-classification") as head:
        assert (base.task, head.task) == ("", "text-classification")
    assert len(loader.calls) == 2


def test_no_task_means_the_versions_own(pool, loader, place, monkeypatch, tmp_path):
    place("a")
    monkeypatch.setattr("lmcore.models.pool.model_folder", lambda ref, settings: (tmp_path / "a", "own"))
    with pool.lease(place("a")) as own, pool.lease(place("a"), "") as base, pool.lease(place("a"), "own") as same:
        assert own is same
        assert own is not base
    assert loader.calls == [("a", "own"), ("a", "")]


def test_the_least_recently_used_goes_before_the_next_is_loaded(pool, loader, place):
    gone = []
    for name in ("a", "b", "a"):
        with pool.lease(place(name)) as model:
            gone.append(weakref.ref(model))
        del model
    held_while_loading = []
    original = loader.__class__.__call__

    def watching(ref, task, settings):
        gc.collect()
        held_while_loading.append([seen() is not None for seen in gone])
        return original(loader, ref, task, settings)

    pool._loader = watching
    with pool.lease(place("c")):
        assert names(pool) == ["a", "c"]
    assert held_while_loading == [[True, False, True]], "b is gone from memory before c is loaded"


def test_a_lent_model_is_never_dropped(pool, place):
    with pool.lease(place("a")) as lent:
        for name in ("b", "c", "d"):
            with pool.lease(place(name)):
                pass
        pool.clear()
        assert names(pool) == ["a"]
        with pool.lease(place("a")) as again:
            assert again is lent
    pool.clear()
    assert names(pool) == []


def test_threads_that_ask_for_one_model_share_one_load(pool, loader, place, threads):
    loader.gate.clear()
    got = []

    def lease():
        with pool.lease(place("a")) as model:
            got.append(model)

    for _ in range(6):
        threads(lease)
    assert loader.entered.acquire(timeout=SECONDS)
    waiting(pool, 5)
    assert pool.state().models == ()
    loader.gate.set()
    until(lambda: len(got) == 6)
    assert len(set(map(id, got))) == 1
    assert loader.calls == [("a", "")]


def until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_different_models_load_side_by_side(pool, loader, place, threads):
    loader.gate.clear()

    def lease(name):
        with pool.lease(place(name)):
            pass

    threads(lease, "a")
    threads(lease, "b")
    for _ in range(2):
        assert loader.entered.acquire(timeout=SECONDS)
    loader.gate.set()


def test_a_failed_load_frees_its_place_and_those_who_wait(pool, loader, place, threads):
    loader.gate.clear()
    loader.fail = InputError("damaged")
    seen = []

    def lease():
        try:
            with pool.lease(place("a")):
                pass
        except InputError as error:
            seen.append(str(error))

    for _ in range(3):
        threads(lease)
    assert loader.entered.acquire(timeout=SECONDS)
    waiting(pool, 2)
    loader.gate.set()
    until(lambda: len(seen) == 3)
    assert seen == ["damaged"] * 3
    assert pool._entries == {}
    loader.fail = None
    with pool.lease(place("a")) as model:
        assert model.name == "a"


def test_an_error_in_the_block_gives_the_model_back(pool, place):
    with pytest.raises(KeyError), pool.lease(place("a")):
        raise KeyError
    pool.clear()
    assert names(pool) == []


def test_whoever_needs_room_waits_for_a_lease_to_end(pool, loader, place, threads):
    got = []

    def lease(name):
        with pool.lease(place(name)) as model:
            got.append(model.name)

    with pool.lease(place("b")):
        with pool.lease(place("a")):
            threads(lease, "c")
            waiting(pool, 1)
            assert got == []
        until(lambda: got == ["c"])
    assert names(pool) == ["b", "c"]


def test_two_threads_that_wait_for_room_for_one_model_share_its_load(settings, loader, place, threads):
    pool = ModelPool(replace(settings, pool_bytes=2 * MIB), loader=loader, wait_seconds=SECONDS)
    wanted, got = place("x", MIB // 2), []

    def lease():
        with pool.lease(wanted) as model:
            got.append(model)

    with pool.lease(place("a")), pool.lease(place("b")):
        for _ in range(2):
            threads(lease)
        waiting(pool, 2)
    until(lambda: len(got) == 2)
    assert got[0] is got[1]
    assert [name for name, _ in loader.calls].count("x") == 1
    until(lambda: all(entry.leases == 0 for entry in pool._entries.values()))


def test_room_that_never_comes_is_an_error(settings, loader, place):
    pool = ModelPool(replace(settings, pool_bytes=MIB), loader=loader, wait_seconds=0.05)
    with pool.lease(place("a")):
        with pytest.raises(ResourceError, match=r"takes 1 MiB, and the models in use now leave no room.* of 1 MiB"):
            pool.lease(place("b")).__enter__()
        with pool.lease(place("a")):
            pass
    with pool.lease(place("b")):
        assert names(pool) == ["b"]


def test_a_model_larger_than_the_pool_is_refused_at_once(pool, loader, place):
    with pool.lease(place("a")):
        pass
    with pytest.raises(ResourceError, match=r"takes 3 MiB and the pool has 2 MiB: set LMSCOPE_POOL_MB"):
        pool.lease(place("big", 3 * MIB)).__enter__()
    assert names(pool) == ["a"], "nothing was dropped for it"
    assert loader.calls == [("a", "")]


def test_a_model_larger_in_memory_than_on_disk_pushes_idle_ones_out(settings, place):
    pool = ModelPool(replace(settings, pool_bytes=3 * MIB), loader=Loader(larger=2), wait_seconds=1)
    for name in ("a", "b"):
        with pool.lease(place(name)):
            pass
    assert names(pool) == ["b"]


def test_a_model_larger_in_memory_than_the_pool_is_not_kept(settings, place):
    pool = ModelPool(replace(settings, pool_bytes=2 * MIB), loader=Loader(larger=3), wait_seconds=1)
    with pytest.raises(ResourceError, match=r"takes 3 MiB and the pool has 2 MiB"):
        pool.lease(place("a")).__enter__()
    assert names(pool) == []


def test_room_is_made_for_weights_as_they_are_in_memory(settings, loader, tmp_path):
    for kept, name in ((torch.float32, "full"), (torch.bfloat16, "half")):
        (tmp_path / name).mkdir()
        save_file({"a": torch.zeros(512, 768, dtype=kept)}, tmp_path / name / "model.safetensors", {"format": "pt"})
        pool = ModelPool(replace(settings, pool_bytes=MIB), loader=loader)
        with pytest.raises(ResourceError, match=r"takes 2 MiB and the pool has 1 MiB"):
            pool.lease(f"folder:{tmp_path / name}").__enter__()
    assert loader.calls == []


def test_a_device_without_memory_is_one_sentence_and_the_pool_goes_on(pool, loader, place, monkeypatch):
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(len(loader.calls)))
    loader.fail = torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(ResourceError, match=r"The device ran out of memory with folder:.*set LMSCOPE_DEVICE to cpu"):
        pool.lease(place("a")).__enter__()
    loader.fail = None

    def use():
        with pool.lease(place("a")):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ResourceError, match="ran out of memory"):
        use()
    with pool.lease(place("a")) as model:
        assert model.name == "a"
    assert emptied == [1, 2]


def test_a_crowd_never_exceeds_the_budget(settings, place, threads):
    pool = ModelPool(replace(settings, pool_bytes=2 * MIB), loader=Loader(), wait_seconds=SECONDS)
    refs, over, done = [place(name) for name in "abcd"], [], []

    def work(number):
        for turn in range(40):
            with pool.lease(refs[(number * 7 + turn * 3) % 4]) as model:
                if model.name not in refs[(number * 7 + turn * 3) % 4]:
                    over.append(model.name)
                if sum(nbytes for _, nbytes in pool.state().models) > 2 * MIB:
                    over.append(turn)
        done.append(number)

    for number in range(5):
        threads(work, number)
    until(lambda: len(done) == 5)
    assert over == []
    assert all(entry.leases == 0 for entry in pool._entries.values())


def test_a_model_that_is_not_there_takes_no_place(pool, loader, settings):
    with pytest.raises(InputError, match="There is no model at"):
        pool.lease("folder:/nowhere").__enter__()
    assert loader.calls == []
    assert pool._entries == {}


def test_real_models_are_lent_with_their_heads(settings, tiny_folder):
    pool = ModelPool(settings)
    with pool.lease(f"folder:{tiny_folder}", "text-classification") as loaded:
        assert loaded.labels == ("food", "travel", "weather")
    assert pool.state().models == ((f"folder:{tiny_folder}", loaded.nbytes),)
