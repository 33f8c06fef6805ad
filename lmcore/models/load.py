"""Loading a model and its tokenizer from wherever a reference points."""

import copy
import json
import logging
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lmcore.errors import InputError, OptionError, UnsafeError
from lmcore.fingerprint import fingerprint, fingerprint_file
from lmcore.hub import is_cut_off
from lmcore.models.catalogue import check_hub_id, packaged_folder, resolve_model
from lmcore.models.decoding import Decoding
from lmcore.models.structure import shaped
from lmcore.settings import MAX_TOKENS, Settings
from lmcore.tasks import load_task
from lmcore.types import ModelRef

_NO_LIMIT = 1 << 24  # tokenizers that know of none say 10^30
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
TEMPERATURE = "lmscope_temperature"
_HASHED = ("*.safetensors", "*.gguf", "config.json", "tokenizer.json", "vocab.txt", "merges.txt", "*.model")


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory, ready to run.

    Attributes:
        ref: what it is, of a definite kind and version.
        task: the task whose head it has, or empty for a base model.
        model: the torch module, in evaluation mode.
        tokenizer: its tokenizer.
        labels: class names in the order of its outputs; empty for a base model.
        fingerprint: hash of its weights, configuration and tokenizer files.
        device: where it is: ``cpu``, ``cuda:0`` …
        nbytes: memory of its parameters and buffers.
        max_length: the most tokens that it takes of a text among others, in training, evaluating and serving.
        lock: to be held while the modules are changed or copied.
        decoding: how it writes, for a task that writes text; `dataclasses.replace` gives it another way.
        window: the most tokens that it takes of a text that is analysed by itself; ``max_length`` where that is more.
    """

    ref: ModelRef
    task: str
    model: Any
    tokenizer: Any
    labels: tuple[str, ...]
    fingerprint: str
    device: str
    nbytes: int
    max_length: int
    lock: Any = field(default_factory=threading.RLock, repr=False)
    decoding: Decoding = field(default_factory=Decoding)
    window: int = 0

    @property
    def layers(self) -> int:
        """Number of layers, of an encoder-decoder the encoder's; hidden states run from 0 (embeddings) to this."""
        return int(reading_config(self.model.base_model.config).num_hidden_layers)

    @property
    def temperature(self) -> float:
        """What logits are divided by before they become probabilities: 1 unless one was fitted on dev.

        It stands in the configuration under a name of its own, since transformers takes ``temperature`` for a setting
        of text generation.
        """
        return float(getattr(getattr(self.model, "config", None), TEMPERATURE, 1.0))

    @property
    def widest(self) -> "LoadedModel":
        """The same model, taking texts as long as its window."""
        return self if self.window <= self.max_length else replace(self, max_length=self.window)

    @contextmanager
    def attention(self, implementation: str) -> Iterator[Any]:
        """Lend a twin of the model that has another attention implementation.

        The model itself stays as it is: a forward pass of another thread that is under way would otherwise build its
        mask for one implementation and hand it to the other, and be wrong without an error.
        """
        twin = self.twin()
        twin.base_model.set_attn_implementation(implementation)
        yield twin

    def twin(self) -> Any:
        """Return a copy of the modules that shares the weights, for hooks and settings that nobody else is to meet."""
        from transformers.utils.output_capturing import maybe_install_capturing_hooks

        # A first run that returns hidden states adds hooks: they have to be there before the modules are copied.
        maybe_install_capturing_hooks(self.model.base_model)
        shared = {id(tensor): tensor for tensor in (*self.model.parameters(), *self.model.buffers())}
        with self.lock:
            return copy.deepcopy(self.model, shared)


def load_model(
    ref: "ModelRef | str",
    *,
    task: str | None = None,
    device: str = "auto",
    settings: Settings | None = None,
    max_tokens: int | None = None,
) -> LoadedModel:
    """Load a model with its tokenizer, its weights as float32 whatever precision they are kept in.

    Args:
        ref: what to load; see `ModelRef` for the text forms.
        task: load it with this task's head; None takes the head that a registered version was trained with, and the
            base model without a head otherwise.
        device: ``auto`` takes CUDA where it is present.
        settings: the workspace for registered models; read from the environment where None.
        max_tokens: the most tokens of a text, whatever becomes of it; where None the model's own window for a text that is
            analysed by itself, and for others the settings' ``max_tokens`` where that is less.

    Raises:
        InputError: there is no such model, its files cannot be read, or they hold no head for the task.
        OptionError: the model does not take as many tokens.
        UnsafeError: its weights are a pickle.
    """
    settings = settings or Settings.from_environment()
    ref = resolve_model(ref, settings)
    folder, own_task = model_folder(ref, settings)
    task = own_task if task is None else task
    where = pick_device(device if device != "auto" else settings.device)
    model, tokenizer = _read(ref, folder, task)
    model.to(where).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    sizes = [t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers())]
    config = model.config
    longest, window = _lengths(ref, model, tokenizer, settings.max_tokens, max_tokens)
    return LoadedModel(
        ref=ref,
        task=task,
        model=model,
        tokenizer=tokenizer,
        labels=_labels(config, task),
        fingerprint=_fingerprint(folder),
        device=where,
        nbytes=sum(sizes),
        max_length=longest,
        decoding=Decoding.of(model),
        window=window,
    )


def reading_config(config: Any) -> Any:
    """Return the configuration of what reads the input: of two models that were joined, the encoder's."""
    return config if hasattr(config, "num_hidden_layers") else getattr(config, "encoder", config)


def _labels(config: Any, task: str) -> tuple[str, ...]:
    """Return the class names of a head, none for a task that writes text."""
    if not task or not load_task(task).model_options(("",)):
        return ()
    return tuple(config.id2label[i] for i in range(config.num_labels))


def model_folder(ref: ModelRef, settings: Settings) -> tuple[Path, str]:
    """Return the folder (or GGUF file) that holds a resolved model's files, and the task of its head.

    Raises:
        InputError: there is none, or it is a configuration, which has no weights yet.
    """
    if ref.kind == "registry":
        from lmcore.models.registry import ModelRegistry

        version = ModelRegistry(settings.workspace, tracking_uri=settings.tracking_uri).get(ref)
        if not version.available:
            raise InputError(f"The files of {ref} are gone from the workspace: train it again.")
        return version.folder, version.task
    if ref.kind == "packaged":
        return packaged_folder(ref.name), ""
    if ref.kind == "config":
        raise InputError(f"{ref} has no weights until it is trained: train it first, or choose a pre-trained model.")
    if ref.kind == "hub":
        return _hub_folder(ref.name), ""
    path = Path(ref.name)
    if not path.exists():
        raise InputError(f"There is no model at {path}: give a folder with config.json and model.safetensors.")
    return path, ""


def pick_device(device: str) -> str:
    """Return a device that torch can use.

    Raises:
        OptionError: CUDA is asked for and absent, or the name is not a device.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return device
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if not match:
        raise OptionError(f"The device is {device!r}: give auto, cpu, cuda or cuda:N.")
    if not torch.cuda.is_available():
        raise OptionError("The device is set to CUDA, but torch finds none here: set LMSCOPE_DEVICE to auto or cpu.")
    if int(match[1] or 0) >= torch.cuda.device_count():
        raise OptionError(f"The device is {device!r}, but the last one here is cuda:{torch.cuda.device_count() - 1}.")
    return device


def refuse_pickles(folder: Path) -> None:
    """Refuse a folder whose weights are a pickle and not safetensors, whatever the file is called.

    Raises:
        UnsafeError: saying how to convert it.
    """
    named = sorted(folder.glob("*.safetensors"))
    patterns = () if named else _PICKLES
    found = next((path for pattern in patterns for path in sorted(folder.glob(pattern))), None)
    found = found or next((path for path in named if _is_pickle(path)), None)
    if found:
        raise UnsafeError(
            f"{found.name} in {folder} is a pickle, which can run code when it is opened: convert it with "
            "model.save_pretrained(folder, safe_serialization=True) where you trust it, and use that folder."
        )


def _is_pickle(path: Path) -> bool:
    """Say whether a file begins like a pickle or a zip of pickles, and not like safetensors (eight bytes, then JSON)."""
    with path.open("rb") as file:
        head = file.read(9)
    return head.startswith((b"PK\x03\x04", b"\x80")) and head[8:] != b"{"


def _read(ref: ModelRef, folder: Path, task: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    from lmcore.models import joint, pooled

    pooled.register()
    joint.register()
    disable_progress_bar()
    logging.getLogger("transformers.modeling_utils").addFilter(_is_no_load_report)
    auto_class = load_task(task).model_class() if task else AutoModel
    source: dict[str, Any] = {"gguf_file": folder.name} if folder.is_file() else {}
    home = folder.parent if folder.is_file() else folder
    if not source:
        if not (folder / "config.json").is_file():
            raise InputError(f"{folder} is not a model folder: it has no config.json.")
        refuse_pickles(folder)
        source = {"use_safetensors": True}
    try:
        if not folder.is_file():
            auto_class = shaped(auto_class, folder)
        model, info = auto_class.from_pretrained(
            home,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            dtype=torch.float32,  # in half precision two ways of attention differ by more than what is to be seen
            **source,
        )
        source.pop("use_safetensors", None)
        tokenizer = AutoTokenizer.from_pretrained(home, local_files_only=True, trust_remote_code=False, **source)
    except Exception as error:  # the readers of foreign files raise a dozen kinds, plain Exception among them
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise InputError(f"The model {ref} cannot be loaded: {reason}") from error
    _refuse_random_weights(ref, model, info["missing_keys"], task)
    return model if task else model.base_model, tokenizer


def _is_no_load_report(record: logging.LogRecord) -> bool:
    """Keep transformers' table of unused and missing weights from the user: what is missing is refused here."""
    return "LOAD REPORT" not in record.getMessage()


def _refuse_random_weights(ref: ModelRef, model: Any, missing: Iterable[str], task: str) -> None:
    """Refuse weights that the files lack: transformers would fill them at random.

    Let pass are a pooler, which is never read, and what the class that was saved does not save since it is made anew, such
    as Marian's sinusoidal positions; a model without its head knows nothing of that by itself.
    """
    made = [re.compile(pattern) for pattern in _unsaved(model.config)]
    prefix = model.base_model_prefix
    lacking = sorted(
        name
        for name in missing
        if "pooler." not in name and not any(p.search(name) or p.search(f"{prefix}.{name}") for p in made)
    )
    if task and lacking and not any(name.startswith(f"{model.base_model_prefix}.") for name in lacking):
        raise InputError(f"The model {ref} has no trained head for {task}: train it first.")
    if lacking:
        raise InputError(
            f"The model {ref} cannot be loaded: its files lack {len(lacking)} of the weights that its configuration "
            f"names, the first is {lacking[0]}."
        )


def _unsaved(config: Any) -> list[str]:
    """Return the names, as patterns, of the weights that the classes which a configuration names do not save."""
    import transformers

    classes = [getattr(transformers, name, None) for name in config.architectures or ()]
    return [pattern for kind in classes for pattern in getattr(kind, "_keys_to_ignore_on_save", None) or ()]


def _hub_folder(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    name, cut_off = check_hub_id(name), is_cut_off()
    try:
        kept = ["*.safetensors", "*.json", "*.txt", "*.model"]
        return Path(snapshot_download(name, allow_patterns=kept, local_files_only=cut_off))
    except LocalEntryNotFoundError as error:
        raise InputError(
            f"The hub cannot be reached for the model {name}: check the network, or choose a packaged model or a folder."
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise InputError(
            f"The hub model {name} cannot be had ({type(error).__name__}): check its name and the network, or choose a "
            "packaged model or a folder."
        ) from error


def _fingerprint(folder: Path) -> str:
    if folder.is_file():
        return fingerprint(fingerprint_file(folder))
    files = sorted({path for pattern in _HASHED for path in folder.glob(pattern)})
    return fingerprint(*[[path.name, fingerprint_file(path)] for path in files])


def token_limit(model: Any, tokenizer: Any, most: int = MAX_TOKENS) -> int:
    """Return the most tokens that a model and its tokenizer take, at most so many."""
    return min(own_window(model, tokenizer) or most, most)


def own_window(model: Any, tokenizer: Any) -> int:
    """Return the most tokens that a model and its tokenizer take; 0 where neither says (positions may be relative)."""
    positions = getattr(reading_config(model.base_model.config), "max_position_embeddings", None)
    limits = (positions, tokenizer.model_max_length)
    return int(min((n for n in limits if isinstance(n, int) and 0 < n < _NO_LIMIT), default=0))


def _lengths(ref: ModelRef, model: Any, tokenizer: Any, usual: int, asked: int | None) -> tuple[int, int]:
    """Return the most tokens of a text among others, and of one that is analysed by itself."""
    own = own_window(model, tokenizer)
    if asked is None:
        longest = min(own or usual, usual)
        return longest, max(own, longest)
    if asked < 1 or (own and asked > own):
        raise OptionError(f"The most tokens to read are {asked}: give {ref} from 1 to {own or 'as many as fit'}.")
    return asked, asked


def read_layers(ref: "ModelRef | str", settings: Settings) -> int:
    """Return a model's number of layers from its configuration file, without loading its weights.

    Raises:
        InputError: there is no such model, or its configuration does not say.
    """
    resolved = resolve_model(ref, settings)
    path = model_folder(resolved, settings)[0] / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The model {resolved} has no configuration that can be read at {path}.") from error
    inner = config.get("encoder", config)
    for name in ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers"):
        if isinstance(inner.get(name), int):
            return int(inner[name])
    raise InputError(f"The configuration of {resolved} does not say how many layers it has.")
