import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lmcore.errors import InputError, OptionError
from lmcore.models import exported
from lmcore.models.encode import batch_of, encode_texts
from lmcore.models.exported import OnnxModel, check_exportable, round_export, write_export
from lmcore.models.int8 import quantise_linears
from lmcore.models.load import LoadedModel
from lmcore.models.structure import INT8, note
from tests.conftest import ROOT

pytest.importorskip("onnxruntime")
TEXTS = ["the rain was very cold today", "bread", "a train ticket and some tea"]


@pytest.fixture(scope="module")
def batch_for() -> Callable[..., dict[str, Any]]:
    def make(loaded: LoadedModel, texts: list[str]) -> dict[str, Any]:
        encodings = encode_texts(loaded.tokenizer, texts, 64)
        return batch_of(loaded.tokenizer, encodings, range(len(texts)))

    return make


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path, batch_for: Any) -> dict[bool, Path]:
    """The small classifier as ONNX, in float32 and in int8."""
    from lmcore.models import load_model

    loaded = load_model(f"folder:{tiny_folder}", task="text-classification", device="cpu")
    folder = tmp_path_factory.mktemp("onnx")
    write_export(loaded.model, batch_for(loaded, TEXTS[:2]), folder / "whole.onnx")
    shutil.copy(folder / "whole.onnx", folder / "rounded.onnx")
    round_export(folder / "rounded.onnx")
    return {False: folder / "whole.onnx", True: folder / "rounded.onnx"}


@pytest.mark.parametrize("texts", [TEXTS, ["rain"], [" ".join(TEXTS)] * 5])
def test_it_answers_as_the_torch_model_for_any_number_and_length(
    files: dict[bool, Path], tiny_loaded: LoadedModel, batch_for: Any, texts: list[str]
) -> None:
    batch = batch_for(tiny_loaded, texts)
    with torch.inference_mode():
        wanted = tiny_loaded.model(**batch).logits
    found = OnnxModel(files[False], tiny_loaded.model)(**batch, labels=torch.zeros(len(texts)))
    assert torch.allclose(found.logits, wanted, atol=1e-4)


def test_eight_bits_take_less_room_and_stay_near(
    files: dict[bool, Path], tiny_loaded: LoadedModel, batch_for: Any
) -> None:
    batch = batch_for(tiny_loaded, TEXTS)
    with torch.inference_mode():
        wanted = tiny_loaded.model(**batch).logits
    found = OnnxModel(files[True], tiny_loaded.model)(**batch).logits
    assert files[True].stat().st_size < 0.75 * files[False].stat().st_size
    assert 0 < float((found - wanted).abs().max()) < 0.2 * float(wanted.abs().max())


def test_what_an_export_does_not_have_is_said(
    files: dict[bool, Path], tiny_loaded: LoadedModel, batch_for: Any
) -> None:
    model = OnnxModel(files[False], tiny_loaded.model)
    with pytest.raises(InputError, match="no hidden states and no attention maps"):
        model(**batch_for(tiny_loaded, TEXTS), output_hidden_states=True)
    assert getattr(model(**batch_for(tiny_loaded, TEXTS)), "hidden_states", None) is None


def test_a_rounded_model_and_one_that_writes_are_refused(tiny_loaded: LoadedModel) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    with pytest.raises(OptionError, match="this one writes"):
        check_exportable(LlamaForCausalLM(LlamaConfig(vocab_size=20, **sizes)))
    quantise_linears(tiny_loaded.model.base_model)
    note(tiny_loaded.model, **{INT8: True})
    with pytest.raises(OptionError, match="eight bits cannot be exported"):
        check_exportable(tiny_loaded.model)


def test_without_the_extra_it_says_what_to_install(tiny_loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"install lmscope\[onnx\]"):
        check_exportable(tiny_loaded.model)


def test_a_version_without_an_export_is_told_how_to_get_one(
    tiny_loaded: LoadedModel, tiny_folder: Path, settings: Any
) -> None:
    with pytest.raises(InputError, match="has no ONNX export: make one with lmcore compress"):
        exported.load_exported(replace(tiny_loaded.ref, name=str(tiny_folder)), settings)


def test_the_runtime_tells_nobody_that_it_is_used(tmp_path: Path) -> None:
    """ONNX Runtime keeps events to send, and an identifier of the machine, in a folder of the user's cache."""
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    code = "from lmcore.models.exported import load_runtime; load_runtime().SessionOptions()"
    subprocess.run([sys.executable, "-c", code], env=os.environ | home, cwd=ROOT, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and "onnxruntime" in str(path)] == []


def test_rounding_says_nothing_that_is_not_meant_for_users(
    files: dict[bool, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(files[False], tmp_path / "model.onnx")
    round_export(tmp_path / "model.onnx")
    assert [record.getMessage() for record in caplog.records if record.name == "root"] == []
