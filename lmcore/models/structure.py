"""Models whose modules are not what their configuration alone would build: with heads taken out, or in eight bits.

The configuration of such a model carries a note under a name of LMScope's own: how many heads each layer has left
(``lmscope_heads``), and whether its linear layers are in eight bits (``lmscope_int8``). Whoever builds a module from a
configuration calls `restructure` on it; whoever loads one with a transformers auto class takes the class that `shaped`
returns. A note survives further training and another head, since it is part of the configuration.
"""

from pathlib import Path
from typing import Any

HEADS = "lmscope_heads"
INT8 = "lmscope_int8"


def restructure(base: Any) -> None:
    """Give a base model that was just built the modules that its configuration notes; their values are to be loaded."""
    from lmcore.models.heads import attention_blocks
    from lmcore.models.int8 import quantise_linears

    heads = getattr(base.config, HEADS, None)
    if heads:
        for block in attention_blocks(base):
            block.shrink(int(heads))
    if getattr(base.config, INT8, False):
        quantise_linears(base, empty=True)


def is_int8(model: Any) -> bool:
    """Say whether a model's linear layers are in eight bits."""
    return bool(getattr(model.base_model.config, INT8, False))


def note(model: Any, **values: Any) -> None:
    """Write into the configuration of a model's base, wherever that is kept, and so into what is saved."""
    inner = model.base_model.config
    for name, value in values.items():
        setattr(inner, name, value)
    if isinstance(getattr(model.config, "encoder", None), dict):  # a model that was joined keeps a copy
        model.config.encoder = {key: value for key, value in inner.to_dict().items() if key != "_name_or_path"}


def shaped(auto_class: Any, folder: str | Path) -> Any:
    """Return what loads a folder's model with the modules that its configuration notes: mostly the auto class itself.

    Args:
        auto_class: has ``from_config`` and ``from_pretrained``, as transformers' auto classes do.
        folder: holds ``config.json``.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not getattr(config, HEADS, None) and not getattr(config, INT8, False):
        return auto_class
    return _Shaped(auto_class, config)


class _Shaped:
    """Loads like an auto class, and restructures the model between building it and reading its values."""

    def __init__(self, auto_class: Any, config: Any) -> None:
        self._auto_class, self._config = auto_class, config

    def from_pretrained(self, folder: str | Path, **options: Any) -> Any:
        """Return the saved model, with what `output_loading_info` asks for."""
        import torch

        with torch.device("meta"):
            model_class = type(self._auto_class.from_config(self._config))
        if not issubclass(type(self._config), model_class.config_class):
            return self._auto_class.from_pretrained(folder, **options)  # it joins another model with heads of its own

        def build(model: Any, *arguments: Any, **settings: Any) -> None:
            model_class.__init__(model, *arguments, **settings)
            restructure(model.base_model)

        # While it is loaded the model is of a class of its own; afterwards it is what transformers knows.
        loading = type(model_class.__name__, (model_class,), {"__init__": build, "__module__": model_class.__module__})
        made = loading.from_pretrained(folder, **options)  # type: ignore[attr-defined]
        model = made[0] if isinstance(made, tuple) else made
        model.__class__ = model_class
        return made
