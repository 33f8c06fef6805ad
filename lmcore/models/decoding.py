"""How a model writes: greedily, with beams, or by sampling."""

from dataclasses import dataclass, replace
from typing import Any

from lmcore.errors import OptionError
from lmcore.methods import Method, option, options_of


@dataclass(frozen=True, slots=True)
class Decoding:
    """The settings of writing; the defaults are greedy, the same text every time.

    Each field is an `lmcore.methods.Option`.
    """

    beams: int = option(1, "Texts that are followed side by side; 1 is greedy.", minimum=1, maximum=16)
    length_penalty: float = option(
        1.0, "Power of the length by which a beam's log-probability is divided.", minimum=-5, maximum=5
    )
    sample: bool = option(False, "Whether tokens are drawn at random rather than taken as the most probable.")
    temperature: float = option(1.0, "Of sampling: below 1 nearer the most probable.", minimum=0.01, maximum=10)
    top_p: float = option(1.0, "Of sampling: the share of probability that is drawn from.", minimum=0.01, maximum=1)
    max_new_tokens: int = option(128, "Most tokens that are written.", minimum=1, maximum=512)
    seed: int = option(0, "Seed of sampling.", minimum=0, maximum=2**31)

    def checked(self) -> "Decoding":
        """Return the settings with every value checked and in its type.

        Raises:
            OptionError: a value is out of range, or sampling is to go with beams.
        """
        found = replace(self, **{o.name: o.check(getattr(self, o.name)) for o in options_of(Decoding)})
        if found.sample and found.beams > 1:
            raise OptionError(f"Sampling goes with one beam, and there are {found.beams}: set beams to 1.")
        return found

    @classmethod
    def of(cls, model: Any) -> "Decoding":
        """Return how a model writes by its own ``generation_config.json``; what that leaves open is as by default."""
        noted = getattr(model, "generation_config", None)
        names = {
            "beams": "num_beams",
            "length_penalty": "length_penalty",
            "sample": "do_sample",
            "temperature": "temperature",
            "top_p": "top_p",
            "max_new_tokens": "max_new_tokens",
        }
        found = {own: getattr(noted, name, None) for own, name in names.items()}
        decoding = cls(**{own: value for own, value in found.items() if value is not None})
        return replace(decoding, beams=1).checked() if decoding.sample else decoding.checked()

    def to_generation(self, new_tokens: int, *, pad: int, end: "int | list[int] | None") -> Any:
        """Return the transformers configuration that writes so.

        Args:
            new_tokens: most tokens that are written.
            pad: the padding token.
            end: the token, or tokens, that end a text.
        """
        from transformers import GenerationConfig

        drawn = {"temperature": self.temperature, "top_p": self.top_p, "top_k": 0} if self.sample else {}
        beamed = {"length_penalty": self.length_penalty} if self.beams > 1 else {}
        return GenerationConfig(
            num_beams=self.beams,
            do_sample=self.sample,
            max_new_tokens=new_tokens,
            pad_token_id=pad,
            eos_token_id=end,
            **drawn,
            **beamed,
        )


DECODING = Method(
    name="decoding",
    title="Decoding",
    summary="How a text is written from a model's probabilities.",
    target="lmcore.models.decoding:Decoding",
    options=options_of(Decoding),
)
