"""Encoder-decoders from a configuration: random weights, and a byte-level tokenizer trained on the user's texts."""

from collections.abc import Sequence
from typing import Any

from lmcore.models.shape import Shape

VOCABULARY = 8000
POSITIONS = 512
_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"


def train_shared_tokenizer(texts: Sequence[str], *, vocabulary: int = VOCABULARY, max_length: int = POSITIONS) -> Any:
    """Train one byte-level BPE tokenizer for what is read and what is written (Sennrich et al. 2016).

    No text has an unknown token, and decoding gives every text back. Each Chinese character is cut off by itself, so
    that no whole clause becomes one token. A text ends with ``</s>``. The same texts give the same tokenizer.

    Args:
        texts: what to learn the vocabulary from.
        vocabulary: its largest size; 256 bytes and two special tokens are always in it.
        max_length: the longest input of the model it is for, in tokens.

    Returns:
        A transformers tokenizer of the fast kind.
    """
    from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast

    learner = Tokenizer(BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_HAN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    learner.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=["<pad>", "</s>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    learner.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=learner,
        pad_token="<pad>",
        eos_token="</s>",
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    )


def marian_small(tokenizer: Any, shape: Shape) -> Any:
    """Return the configuration of a Marian, by default of 3 + 3 layers, 256 features and 4 heads."""
    return marian_config(tokenizer, **shape.filled(layers=3, width=256, heads=4))


def marian_config(tokenizer: Any, *, layers: int, width: int, heads: int) -> Any:
    """Return the configuration of a Marian: an encoder-decoder with sinusoidal positions and one matrix of embeddings.

    Args:
        tokenizer: gives the vocabulary's size and the special tokens.
        layers: number of layers of the encoder, and as many of the decoder.
        width: features of a token vector, an even multiple of ``heads``.
        heads: attention heads of a layer.
    """
    from transformers import MarianConfig

    return MarianConfig(
        vocab_size=len(tokenizer),
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_position_embeddings=POSITIONS,
        activation_function="relu",
        scale_embedding=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
        forced_eos_token_id=None,
    )
