"""What looking into a model costs while it reads one text, said before it runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from lmcore.analysis.asked import check_output
from lmcore.analysis.attention.flow import said_flows
from lmcore.analysis.attention.run import MAX_BYTES, Kind, attention_kinds, attention_shape, check_bytes
from lmcore.analysis.attribution.cost import SLOW
from lmcore.analysis.model_input import read_input
from lmcore.analysis.residual import direct_logits, shares
from lmcore.analysis.room import check_room, pass_bytes
from lmcore.analysis.runs import read_count
from lmcore.analysis.written_output import MAX_NEW_TOKENS
from lmcore.models.components import components
from lmcore.models.load import LoadedModel
from lmcore.models.reading import read_row
from lmcore.settings import MIB
from lmcore.tasks import load_task
from lmcore.types import Input, Target, count_of

_MAP_COPIES = 2
_JUDGED_FLOWS = 12  # of the token that is judged: its own, those of edits, and those of random weights


@dataclass(frozen=True, slots=True)
class ReadingCost:
    """What an analysis asks of a model that reads one text.

    Attributes:
        runs: times that the text is read.
        tokens: of what is read; without the output where the model has yet to write that.
        written: tokens that the model may have to write first; 0 where it writes none.
        nbytes: memory that is taken beside the weights, about.
        operations: floating-point operations of all of it, about.
    """

    runs: int
    tokens: int
    written: int
    nbytes: int
    operations: float

    @property
    def slow(self) -> bool:
        """Whether a page should ask before it begins."""
        return self.operations > SLOW

    def sentence(self) -> str:
        """Say it in a sentence."""
        first = (
            f"The model writes up to {count_of(self.written, 'token')}, and then reads"
            if self.written
            else "The model reads"
        )
        times = "once" if self.runs == 1 else "twice" if self.runs == 2 else f"{self.runs} times"
        memory = "less than 1 MiB" if self.nbytes < MIB else f"about {self.nbytes / MIB:,.0f} MiB"
        return f"{first} {count_of(self.tokens, 'token')} {times}; this takes {memory} of memory."


def attention_cost(
    loaded: LoadedModel,
    text: Input,
    kinds: Sequence[Kind] | None = None,
    *,
    output: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> ReadingCost:
    """Say what `read_attention` with the same arguments will cost.

    Raises:
        InputError: see `read_attention`.
        ResourceError: the maps would take more than the limit.
    """
    own = attention_kinds(loaded)
    wanted = own if kinds is None else kinds
    read = len(read_input(loaded, text)[0].ids)
    joined = len(own) > 1 and bool({"decoder", "cross"} & set(wanted))
    written = _written(loaded, output) if joined else 0
    sizes: dict[Kind, tuple[int, int]] = {
        "encoder": (read, read),
        "decoder": (written, written) if len(own) > 1 else (read, read),
        "cross": (written, read),
    }
    for kind in wanted:
        if output is not None or kind == "encoder" or len(own) == 1:  # else what is written may be shorter
            check_bytes(attention_shape(loaded, kind), *sizes[kind], max_bytes)
    maps = sum(attention_shape(loaded, kind).nbytes(*sizes[kind]) for kind in wanted)
    writes = written if joined and output is None else 0
    tokens = read + (written if joined and output is not None else 0)
    nbytes = _MAP_COPIES * maps + pass_bytes(loaded, read + written, read=written if joined else None)
    runs = 2 + bool(writes)
    return ReadingCost(runs, tokens, writes, nbytes, _operations(loaded, runs * tokens + writes))


def flow_cost(
    loaded: LoadedModel,
    text: Input,
    kind: Kind,
    *,
    output: str | None = None,
    one: bool = False,
    judged: bool = False,
) -> str:
    """Say in a sentence how many flows are found through a text, and how long that takes.

    Args:
        loaded: the model.
        text: what it reads.
        kind: through which stack: ``encoder`` or ``decoder``.
        output: what an encoder-decoder is to have written; where None, it may write less than is said.
        one: whether the flows to one token are found, not those to every one.
        judged: whether it is measured besides how far those to one token can be trusted.

    Raises:
        InputError: see `read_attention`.
    """
    apart = kind == "decoder" and len(attention_kinds(loaded)) > 1
    size = _written(loaded, output) if apart else len(read_input(loaded, text)[0].ids)
    flows = size * ((1 if one else size) + (_JUDGED_FLOWS if judged else 0))
    most = "up to " if apart and output is None else ""
    return f"It then finds {most}{said_flows(attention_shape(loaded, kind).layers, size, flows)}."


def contributions_cost(loaded: LoadedModel, text: Input, *, output: str | None = None) -> ReadingCost:
    """Say what `stream_contributions` with the same arguments will cost.

    Raises:
        InputError: see `stream_contributions`.
        OptionError: the parts of the model are not known.
        ResourceError: the text would not fit into memory.
    """
    # What is predicted, unless the output is given; that it is there; and the run that is looked into.
    return _parts_cost(loaded, text, None, output, 2 if output else 3, shares.COPIES)


def logit_parts_cost(
    loaded: LoadedModel, text: Input, target: Target | str | None = None, *, output: str | None = None
) -> ReadingCost:
    """Say what `attribute_logits` with the same arguments will cost.

    Raises:
        InputError: see `attribute_logits`.
        OptionError: the parts of the model are not known.
        ResourceError: the text would not fit into memory.
    """
    named = target if isinstance(target, Target) else None
    predicted = named is None or (named.kind == "phrase" and output is None)
    return _parts_cost(loaded, text, named, output, 1 + predicted + direct_logits.RUNS, direct_logits.COPIES)


def _parts_cost(
    loaded: LoadedModel, text: Input, target: Target | None, output: str | None, runs: int, copies: int
) -> ReadingCost:
    """Return the cost of reading a text, with what every part of the stack gives kept in so many copies."""
    reading = read_row(loaded.widest, text, target, output=output or "")
    check_output(loaded, output)
    decoding = load_task(loaded.task).adapted(loaded.model.config).decoding(loaded)
    written = decoding.max_new_tokens if decoding is not None and output is None else 0
    every = components(loaded.model)
    parts = sum(part.stack == every[-1].stack and part.kind != "neurons" for part in every)
    read = read_count(loaded, [reading])
    check_room(loaded, len(reading), read=read, kept=copies * parts)
    nbytes = pass_bytes(loaded, len(reading) + written, read=read, kept=copies * parts)
    return ReadingCost(runs, len(reading), written, nbytes, _operations(loaded, runs * len(reading) + written))


def _written(loaded: LoadedModel, output: str | None) -> int:
    """Return how many tokens the decoder of an encoder-decoder reads, at most: those of the output, where it is given."""
    if output is None:
        return MAX_NEW_TOKENS
    return len(loaded.tokenizer(text_target=output, verbose=False)["input_ids"])


def _operations(loaded: LoadedModel, tokens: int) -> float:
    """Return the operations of running so many tokens: two for each weight that is not only looked up."""
    looked_up = int(loaded.model.get_input_embeddings().weight.numel())
    weights = sum(int(parameter.numel()) for parameter in loaded.model.parameters()) - looked_up
    return 2.0 * weights * tokens
