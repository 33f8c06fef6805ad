"""The ways of making a version smaller."""

from lmcore.methods import Method, Registry, options_of
from lmcore.training.compression.config import CompressConfig

_PACKAGE = "lmcore.training.compression"

COMPRESSION = Registry(
    "compression method",
    Method(
        name="heads",
        title="Head pruning",
        summary="Takes the least important attention heads out of every layer, judged by the gradient of the loss on dev "
        "with respect to a mask (Michel et al. 2019); for encoders built like BERT.",
        target=f"{_PACKAGE}.heads:prune_heads",
        options=options_of(CompressConfig, "heads"),
        facts={"trainable": True},
    ),
    Method(
        name="layers",
        title="Layer pruning",
        summary="Takes out the layers that change their input least (Men et al. 2024) or whose absence costs least on dev; "
        "for encoders, decoders and encoder-decoders.",
        target=f"{_PACKAGE}.layers:prune_layers",
        options=options_of(CompressConfig, "layers"),
        facts={"trainable": True},
    ),
    Method(
        name="magnitude",
        title="Magnitude pruning",
        summary="Sets the smallest weights to zero: it shows how many the task needs; zeros take as much room and time as "
        "any number.",
        target=f"{_PACKAGE}.magnitude:prune_weights",
        options=options_of(CompressConfig, "magnitude"),
        facts={"trainable": True},
    ),
    Method(
        name="int8",
        title="Eight-bit weights",
        summary="Rounds the weights of all linear layers to eight bits, and their inputs on the fly (dynamic quantisation); "
        "made for the CPU, and not trainable any more.",
        target=f"{_PACKAGE}.rounding:round_weights",
        options=options_of(CompressConfig, "int8"),
        facts={"trainable": False},
    ),
    Method(
        name="onnx",
        title="ONNX export",
        summary="Writes the model for ONNX Runtime beside its weights, and measures it there; for models that read, with the "
        "extra lmscope[onnx].",
        target=f"{_PACKAGE}.export:export_onnx",
        options=options_of(CompressConfig, "onnx"),
        facts={"trainable": True},
    ),
)
