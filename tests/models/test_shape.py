import pytest

from lmcore.errors import OptionError
from lmcore.models.configured import bert_small
from lmcore.models.configured_decoder import llama_small
from lmcore.models.configured_marian import marian_small
from lmcore.models.shape import Shape


class Tokenizer:
    pad_token_id = bos_token_id = eos_token_id = 0

    def __len__(self):
        return 500


def test_what_is_not_asked_for_is_as_the_configuration_has_it():
    assert Shape(width=64).filled(layers=4, width=256, heads=4) == {"layers": 4, "width": 64, "heads": 4}


@pytest.mark.parametrize(("width", "heads", "good"), [(100, 3, 102), (6, 4, 8), (12, 4, 16)])
def test_a_width_that_heads_cannot_share_is_refused_with_one_that_they_can(width, heads, good):
    with pytest.raises(OptionError, match=rf"{heads} heads of an even number of features: .*such as {good}\."):
        Shape(width=width, heads=heads).filled(layers=1, width=1, heads=1)
    assert Shape(width=good, heads=heads).filled(layers=1, width=1, heads=1)["width"] == good


def test_each_configuration_takes_a_shape():
    shape = Shape(layers=2, width=32, heads=2)
    bert, llama, marian = (build(Tokenizer(), shape) for build in (bert_small, llama_small, marian_small))
    assert (bert.num_hidden_layers, bert.hidden_size, bert.num_attention_heads) == (2, 32, 2)
    assert (llama.num_hidden_layers, llama.hidden_size, llama.num_attention_heads) == (2, 32, 2)
    assert (marian.encoder_layers, marian.decoder_layers, marian.d_model) == (2, 2, 32)
