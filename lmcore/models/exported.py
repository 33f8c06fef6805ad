"""Models in ONNX: writing them, and running them with ONNX Runtime as if they were torch modules."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lmcore.errors import InputError, OptionError
from lmcore.fingerprint import fingerprint, fingerprint_file
from lmcore.models.load import LoadedModel, load_model, model_folder
from lmcore.models.structure import is_int8
from lmcore.settings import Settings
from lmcore.types import ModelRef

EXPORT = "model.onnx"


class Outputs(dict[str, Any]):
    """A model's outputs by name, which are attributes too, as transformers' own are."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(name)
        return self[name]


class OnnxModel:
    """A model in an ONNX file, which is called with torch tensors and answers with them, on the CPU.

    Attributes:
        config: of the torch model that was exported.
        base_model: holds the configuration of its base.
    """

    def __init__(self, path: Path, model: Any) -> None:
        import torch

        runtime = load_runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._reads = [item.name for item in self._session.get_inputs()]
        self._gives = [item.name for item in self._session.get_outputs()]
        self.config, self.base_model = model.config, SimpleNamespace(config=model.base_model.config)

    def __call__(self, **batch: Any) -> Outputs:
        """Return the outputs for a batch; what the file does not read, such as labels, is passed over.

        Raises:
            InputError: hidden states or attention maps are asked for.
        """
        import torch

        if batch.get("output_hidden_states") or batch.get("output_attentions"):
            raise InputError("An export gives no hidden states and no attention maps: look into the version's weights.")
        found = self._session.run(None, {name: batch[name].cpu().numpy() for name in self._reads})
        return Outputs({name: torch.from_numpy(value) for name, value in zip(self._gives, found, strict=True)})


def load_runtime() -> Any:
    """Return the module of ONNX Runtime, which is kept from telling its makers that it is used.

    Raises:
        InputError: it is not installed.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it is read when the module is imported
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError("ONNX Runtime is not installed: install lmscope[onnx].") from error
    return onnxruntime


def is_exported(folder: Path) -> bool:
    """Say whether a version's folder holds an export."""
    return (folder / EXPORT).is_file()


def load_exported(ref: "ModelRef | str", settings: Settings) -> LoadedModel:
    """Load a registered version's export, ready to predict by ONNX Runtime.

    Raises:
        InputError: there is no such version, it has no export, or the runtime is not installed.
    """
    loaded = load_model(ref, device="cpu", settings=settings)
    path = model_folder(loaded.ref, settings)[0] / EXPORT
    if not path.is_file():
        raise InputError(f"{loaded.ref} has no ONNX export: make one with lmcore compress {loaded.ref} --method onnx.")
    model = OnnxModel(path, loaded.model)
    return replace(
        loaded,
        model=model,
        nbytes=path.stat().st_size,
        fingerprint=fingerprint(loaded.fingerprint, fingerprint_file(path)),
    )


def write_export(model: Any, sample: dict[str, Any], path: Path) -> None:
    """Write a model that reads as ONNX, for batches and texts of any length.

    Args:
        model: on the CPU, in evaluation mode.
        sample: a batch of at least two texts, without what is to be learnt.
        path: of the file.

    Raises:
        OptionError: the model writes, or is in eight bits already.
        InputError: the packages that export are not installed.
    """
    import torch

    check_exportable(model)
    with torch.inference_mode():
        outputs = [name for name, value in model(**sample).items() if _is_output(name, value)]

    class Reader(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, *inputs: Any) -> tuple[Any, ...]:
            out = self.inner(**dict(zip(sample, inputs, strict=True)))
            return tuple(out[name] for name in outputs)

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it names what is not installed and not needed
    free = torch.export.Dim.DYNAMIC
    shapes = tuple(dict.fromkeys(range(value.dim()), free) for value in sample.values())
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch's own exporter about itself
        program = torch.onnx.export(
            Reader().eval(),
            tuple(sample.values()),
            dynamo=True,
            verbose=False,
            dynamic_shapes={"inputs": shapes},
            input_names=list(sample),
            output_names=outputs,
        )
    if program is None:
        raise InputError("The model cannot be exported to ONNX: choose another method.")
    program.save(str(path))


def check_exportable(model: Any) -> None:
    """Refuse a model that cannot be exported.

    Raises:
        OptionError: it writes, or is in eight bits already.
        InputError: the packages that export are not installed.
    """
    if not hasattr(model, "can_generate") or model.can_generate():
        raise OptionError("The export is for models that read; this one writes: choose another method.")
    if is_int8(model):
        raise OptionError(
            "A version in eight bits cannot be exported: export the one it was made from with precision int8."
        )
    load_runtime()
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError("What exports to ONNX is not installed: install lmscope[onnx].") from error


def _is_output(name: str, value: Any) -> bool:
    return value is not None and (name == "logits" or name.endswith("_logits"))


def round_export(path: Path) -> None:
    """Round the matrices and the embeddings of an ONNX file to eight bits; the head stays as it is.

    Rounding the head too gave outputs that are its bias alone (ONNX Runtime 1.32).
    """
    load_runtime()
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = path.with_suffix(".whole")
    path.rename(whole)
    graph = onnx.load(str(whole)).graph
    constant = {item.name for item in graph.initializer if len(item.dims) == 2}
    place = {"MatMul": 1, "Gather": 0}
    chosen = [n.name for n in graph.node if n.op_type in place and n.input[place[n.op_type]] in constant]
    with _unadvised():
        quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True, nodes_to_quantize=chosen)
    whole.unlink()


@contextmanager
def _unadvised() -> Iterator[None]:
    """Keep from the user what ONNX Runtime advises those who write their own exports."""

    def is_no_advice(record: logging.LogRecord) -> bool:
        return "pre-processing before quantization" not in record.getMessage()

    logging.getLogger().addFilter(is_no_advice)
    try:
        yield
    finally:
        logging.getLogger().removeFilter(is_no_advice)
