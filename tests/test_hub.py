"""Finding out soon whether the hub can be reached."""

import threading
import time
from types import SimpleNamespace

import pytest

from lmcore.errors import InputError
from lmcore.hub import is_cut_off
from lmcore.models import load_model


@pytest.fixture
def hub(monkeypatch):
    """Stand in for the network: what comes of asking the hub, after it was let go where it hangs."""
    state = SimpleNamespace(asked=[], error=None, hangs=False, let_go=threading.Event())

    def head(url, timeout):
        state.asked.append((url, timeout))
        if state.hangs:
            state.let_go.wait(30)
        if state.error:
            raise state.error

    monkeypatch.setattr("huggingface_hub.get_session", lambda: SimpleNamespace(head=head))
    monkeypatch.setattr("huggingface_hub.is_offline_mode", lambda: False)
    yield state
    state.let_go.set()


def test_it_is_reached_where_it_says_anything_at_all(hub):
    assert not is_cut_off()
    assert hub.asked == [("https://huggingface.co", 6.0)]
    hub.error = OSError("Name or service not known")
    assert is_cut_off()


def test_a_network_that_hangs_is_waited_for_no_longer_than_said(hub):
    hub.hangs = True
    began = time.monotonic()
    assert is_cut_off(0.05)
    assert time.monotonic() - began < 5


def test_where_it_is_to_be_left_alone_it_is_not_asked(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.is_offline_mode", lambda: True)
    assert not is_cut_off()
    assert not hub.asked


def test_without_a_network_a_model_that_is_there_is_taken_and_another_one_refused(
    hub, monkeypatch, tiny_folder, settings
):
    from huggingface_hub.errors import LocalEntryNotFoundError

    hub.error, there = OSError("no route"), {"org/tiny": tiny_folder}

    def snapshot_download(name, *, local_files_only, **options):
        assert local_files_only, "the hub is not asked again"
        if name not in there:
            raise LocalEntryNotFoundError("not here")
        return str(there[name])

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert load_model("hub:org/tiny", settings=settings).layers == 2
    with pytest.raises(InputError, match="The hub cannot be reached for the model org/other: check the network"):
        load_model("hub:org/other", settings=settings)
