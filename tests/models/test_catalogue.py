from dataclasses import replace

import pytest

from lmcore.errors import InputError, UnknownError
from lmcore.models import catalogue
from lmcore.models.catalogue import list_models, packaged_folder, resolve_model
from lmcore.types import ModelRef


@pytest.fixture
def folders(tmp_path, settings):
    """Settings with two parents of model folders, one of which does not exist."""
    for name in ("b", "a", "no-model"):
        (tmp_path / "models" / name).mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "models" / name / "config.json").write_text("{}")
    return replace(settings, model_dirs=(tmp_path / "models", tmp_path / "gone"))


CONFIGURED = [f"config:{name}" for name, model in catalogue.MODELS.items() if model.facts["kind"] == "config"]


def test_models_at_hand_are_listed_in_order(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "_package_root", lambda facts: tmp_path)
    refs = [str(choice.ref) for choice in list_models(folders)]
    assert refs == [
        "packaged:all-MiniLM-L6-v2",
        *CONFIGURED,
        f"folder:{tmp_path}/models/a",
        f"folder:{tmp_path}/models/b",
    ]


def test_a_package_that_is_not_installed_is_not_offered(settings, monkeypatch):
    monkeypatch.setattr(catalogue, "_package_root", lambda facts: None)
    assert [str(choice.ref) for choice in list_models(settings)] == CONFIGURED
    with pytest.raises(InputError, match=r"pip install 'lmscope\[offline\]'"):
        packaged_folder("all-MiniLM-L6-v2")


def test_a_name_is_tried_as_a_folder_first(tmp_path, monkeypatch, settings):
    monkeypatch.chdir(tmp_path)
    assert resolve_model("bert-small", settings) == ModelRef("config", "bert-small")
    assert resolve_model("all-MiniLM-L6-v2", settings) == ModelRef("packaged", "all-MiniLM-L6-v2")
    assert resolve_model("org/name", settings) == ModelRef("hub", "org/name")
    (tmp_path / "x.gguf").touch()
    assert resolve_model("x.gguf", settings) == ModelRef("gguf", str(tmp_path / "x.gguf"))
    for name in ("bert-small", "org/name"):
        (tmp_path / name).mkdir(parents=True)
        assert resolve_model(name, settings) == ModelRef("folder", str(tmp_path / name))


def test_a_relative_folder_becomes_absolute(tmp_path, monkeypatch, settings):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in ("folder:x", "folder:~/x"):
        assert resolve_model(text, settings) == ModelRef("folder", str(tmp_path / "x"))
    assert resolve_model("gguf:x.gguf", settings) == ModelRef("gguf", str(tmp_path / "x.gguf"))


def test_the_folder_of_a_user_who_is_not_there_is_a_plain_name(settings):
    assert resolve_model("folder:~nosuchuser/m", settings).name.endswith("~nosuchuser/m")


def test_an_unknown_name_lists_what_can_be_picked(settings):
    with pytest.raises(UnknownError, match=r"known: all-MiniLM-L6-v2, bert-small, .*\. A folder, models:/name@alias"):
        resolve_model("berd-small", settings)


def test_models_of_a_task_are_those_whose_architecture_can_do_it(settings):
    refs = [str(choice.ref) for choice in list_models(settings, "translation")]
    assert {"config:marian-small", "config:llama-small"} <= set(refs)
    assert "config:bert-small" not in refs
