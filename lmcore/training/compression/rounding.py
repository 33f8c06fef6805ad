"""Dynamic quantisation: eight-bit weights, and inputs that are rounded as they come."""

from lmcore.errors import OptionError
from lmcore.models.structure import INT8, note
from lmcore.training.compression.made import Compressed, CompressJob


def round_weights(job: CompressJob) -> Compressed:
    """Put every linear layer below the head into eight bits; the embeddings and the head stay as they are.

    Raises:
        OptionError: the model has no linear layer with float weights.
    """
    from lmcore.models.int8 import quantise_linears

    count = quantise_linears(job.loaded.model.base_model)
    if not count:
        raise OptionError("The model has no linear layer with float weights: it is in eight bits already.")
    note(job.loaded.model, **{INT8: True})
    return Compressed(summary=f"The weights of {count} linear layers are in eight bits.", facts={"linears": count})
