"""Where the parts of a layer are, by kind of model."""

from dataclasses import dataclass

from lmcore.errors import OptionError


@dataclass(frozen=True, slots=True)
class Layout:
    """How the layers of one stack are built; paths are below a layer.

    Attributes:
        attention: the linear map that the heads' outputs, one beside the other, go through.
        mlp: the linear map that the hidden units go through.
        attention_norm: the norm before self-attention where ``before`` is set, else the one after it.
        mlp_norm: the norm before the MLP where ``before`` is set, else the one after it.
        cross: of a decoder that looks at an encoder, what ``attention`` is for that; empty where there is none.
        cross_norm: what ``attention_norm`` is for that.
        final: below the stack, the norm after the last layer; empty where there is none.
    """

    attention: str
    mlp: str
    attention_norm: str
    mlp_norm: str
    cross: str = ""
    cross_norm: str = ""
    final: str = ""

    @property
    def before(self) -> bool:
        """Whether norms stand before the blocks, so that what the blocks add is not scaled afterwards."""
        return bool(self.final)


_BERT = {"layers": Layout("attention.output.dense", "output.dense", "attention.output.LayerNorm", "output.LayerNorm")}
_DISTILBERT = {"layers": Layout("attention.out_lin", "ffn.lin2", "sa_layer_norm", "output_layer_norm")}
_GPT2 = {"layers": Layout("attn.c_proj", "mlp.c_proj", "ln_1", "ln_2", final="ln_f")}
_LLAMA = {
    "layers": Layout("self_attn.o_proj", "mlp.down_proj", "input_layernorm", "post_attention_layernorm", final="norm")
}


def _bart(final: str = "") -> dict[str, Layout]:
    own = ("self_attn.out_proj", "fc2", "self_attn_layer_norm", "final_layer_norm")
    return {
        "encoder": Layout(*own, final=final),
        "decoder": Layout(*own, "encoder_attn.out_proj", "encoder_attn_layer_norm", final),
    }


_T5 = {
    "encoder": Layout(
        "layer.0.SelfAttention.o",
        "layer.1.DenseReluDense.wo",
        "layer.0.layer_norm",
        "layer.1.layer_norm",
        final="final_layer_norm",
    ),
    "decoder": Layout(
        "layer.0.SelfAttention.o",
        "layer.2.DenseReluDense.wo",
        "layer.0.layer_norm",
        "layer.2.layer_norm",
        "layer.1.EncDecAttention.o",
        "layer.1.layer_norm",
        "final_layer_norm",
    ),
}

LAYOUTS: dict[str, dict[str, Layout]] = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra"), _BERT),
    "distilbert": _DISTILBERT,
    "gpt2": _GPT2,
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "smollm3"), _LLAMA),
    **dict.fromkeys(("bart", "marian"), _bart()),
    **dict.fromkeys(("mbart", "pegasus"), _bart("layer_norm")),
    **dict.fromkeys(("t5", "mt5"), _T5),
}


def layout_of(model_type: str) -> dict[str, Layout]:
    """Return the layout of each stack of a kind of model; only kinds whose sums were checked are known.

    Raises:
        OptionError: the kind is not known.
    """
    if model_type not in LAYOUTS:
        raise OptionError(
            f"The parts of a {model_type} model are not known: choose a BERT, RoBERTa, DistilBERT, GPT-2, Llama, Mistral, "
            "Qwen, Marian, BART, Pegasus or T5."
        )
    return LAYOUTS[model_type]
