"""Decoders from a configuration: random weights, and a byte-level tokenizer trained on the user's texts."""

from collections.abc import Sequence
from typing import Any

from lmcore.models.shape import Shape

VOCABULARY = 8000
POSITIONS = 512


def train_bpe(texts: Sequence[str], *, vocabulary: int = VOCABULARY, max_length: int = POSITIONS) -> Any:
    """Train a byte-level BPE tokenizer: no text has an unknown token, and decoding gives every text back.

    It puts ``<s>`` before a text, as Llama's does, so that the first token is predicted too. The same texts give the
    same tokenizer.

    Args:
        texts: what to learn the vocabulary from.
        vocabulary: its largest size; 256 bytes and three special tokens are always in it.
        max_length: the longest input of the model it is for, in tokens.

    Returns:
        A transformers tokenizer of the fast kind.
    """
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.processors import TemplateProcessing
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast

    learner = Tokenizer(BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    learner.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=learner,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    )


def llama_small(tokenizer: Any, shape: Shape) -> Any:
    """Return the configuration of a Llama, by default of 4 layers, 256 features and 4 heads."""
    return llama_config(tokenizer, **shape.filled(layers=4, width=256, heads=4))


def llama_config(tokenizer: Any, *, layers: int, width: int, heads: int) -> Any:
    """Return the configuration of a Llama whose input and output embeddings are the same weights.

    Args:
        tokenizer: gives the vocabulary's size and the special tokens.
        layers: number of layers.
        width: features of a token vector, a multiple of ``heads``.
        heads: attention heads of a layer.
    """
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=3 * width,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
