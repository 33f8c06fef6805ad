"""The reward `format`: texts that a regular expression matches."""

from collections.abc import Sequence

import numpy as np

from lmcore.errors import OptionError
from lmcore.settings import Settings
from lmcore.training.reinforcement.rewards.settings import Reward, RewardSettings

LONGEST_PATTERN = 500
SECONDS = 1.0


def format_reward(given: RewardSettings, settings: Settings) -> Reward:
    """Return a reward of the share of a text's characters that the longest match covers; ``.`` matches line ends too.

    A share and no yes or no, so that texts which come nearer to the format are told from those that do not. A pattern
    that takes more than a second for one text ends the run with a sentence: the reward never hangs on how busy a
    machine is.

    Raises:
        OptionError: there is no pattern, or it cannot be read, or is longer than 500 characters; later, it is too slow.
    """
    import regex

    pattern = given.pattern
    if not pattern or len(pattern) > LONGEST_PATTERN:
        raise OptionError(
            f"The reward format needs a pattern of 1 to {LONGEST_PATTERN} characters, and this one has {len(pattern)}: "
            r"give a regular expression such as \w+: .*\."
        )
    try:
        compiled = regex.compile(pattern, regex.DOTALL)
    except regex.error as error:
        raise OptionError(f"The pattern {pattern!r} is not a regular expression: {error}.") from None

    def share(text: str) -> float:
        try:
            if compiled.fullmatch(text, timeout=SECONDS):
                return 1.0
            return max((len(m.group()) for m in compiled.finditer(text, timeout=SECONDS)), default=0) / max(
                len(text), 1
            )
        except TimeoutError:
            raise OptionError(
                f"The pattern {pattern!r} takes more than {SECONDS:g} second for a text of {len(text)} characters: write one "
                "without repeats inside of repeats."
            ) from None

    def reward(texts: Sequence[str], references: Sequence[str]) -> np.ndarray:
        return np.array([share(text) for text in texts], dtype=np.float64)

    return reward
