"""Whether the Hugging Face hub can be reached, found out soon: its own clients try again for half a minute."""

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue

PATIENCE = 6.0


def is_cut_off(seconds: float = PATIENCE) -> bool:
    """Say whether the hub does not answer; where it is to be left alone (``HF_HUB_OFFLINE``) it is not asked.

    Looking up its name has no time limit of its own where there is no network, and is therefore left behind in a thread.

    Args:
        seconds: how long is waited in the whole.
    """
    from huggingface_hub import is_offline_mode

    if is_offline_mode():
        return False
    answers: SimpleQueue[bool] = SimpleQueue()
    threading.Thread(target=_ask, args=(answers, seconds), name="reach the hub", daemon=True).start()
    try:
        return not answers.get(timeout=seconds)
    except Empty:
        return True


def _ask(answers: "SimpleQueue[bool]", seconds: float) -> None:
    """Put whether the hub answers, whatever it says."""
    from huggingface_hub import constants, get_session

    answered = False
    with suppress(Exception):  # each version of the client has another library below, with errors of its own
        get_session().head(constants.ENDPOINT, timeout=seconds)
        answered = True
    answers.put(answered)
