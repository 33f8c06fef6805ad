"""Models from a configuration: random weights, and a tokenizer trained on the user's texts."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from lmcore.models.shape import Shape

VOCABULARY = 8000
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_tokenizer(texts: Sequence[str], *, vocabulary: int = VOCABULARY, max_length: int = 512) -> Any:
    """Train a WordPiece tokenizer as BERT's; Chinese characters are tokens of their own.

    The same texts give the same tokenizer.

    Args:
        texts: what to learn the vocabulary from.
        vocabulary: its largest size.
        max_length: the longest input of the model it is for, in tokens.

    Returns:
        A transformers tokenizer of the fast kind.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.trainers import WordPieceTrainer
    from transformers import BertTokenizerFast

    learner = Tokenizer(WordPiece(unk_token="[UNK]"))
    learner.normalizer, learner.pre_tokenizer = BertNormalizer(lowercase=True), BertPreTokenizer()
    trainer = WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        limit_alphabet=vocabulary // 2,  # the trainer's own limit of 1000 loses one Chinese character in forty
        special_tokens=[*_SPECIAL, *_inner_characters(learner, texts)[: vocabulary // 4]],
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    return BertTokenizerFast(vocab=learner.get_vocab(), model_max_length=max_length)


def _inner_characters(learner: Any, texts: Sequence[str]) -> list[str]:
    """Return the tokens of characters that stand inside a word, the most frequent first.

    The trainer would number them in an order that changes from one process to the next, and the pairs that it joins
    with them.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        for word, _ in learner.pre_tokenizer.pre_tokenize_str(learner.normalizer.normalize_str(text)):
            counts.update(word[1:])
    return [f"##{character}" for character in sorted(counts, key=lambda c: (-counts[c], c))]


def bert_small(tokenizer: Any, shape: Shape) -> Any:
    """Return the configuration of a BERT, by default of 4 layers, 256 features and 4 heads."""
    return bert_config(tokenizer, **shape.filled(layers=4, width=256, heads=4))


def bert_config(tokenizer: Any, *, layers: int, width: int, heads: int) -> Any:
    """Return the configuration of a BERT.

    Args:
        tokenizer: gives the vocabulary's size and the padding token.
        layers: number of layers.
        width: features of a token vector, a multiple of ``heads``.
        heads: attention heads of a layer.
    """
    from transformers import BertConfig

    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        pad_token_id=tokenizer.pad_token_id,
    )
