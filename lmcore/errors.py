"""Every error that LMScope raises on purpose.

    LmError
    ├── InputError          what the user gave cannot be used
    │   ├── DataError       a file, column or row of a data set
    │   ├── OptionError     an option's value
    │   ├── UnknownError    a name that is not there; lists those that are
    │   └── UnsafeError     something that would run code or leave the workspace
    ├── AccessError         the person's role is not enough for what they asked
    ├── ResourceError       memory or a device is not enough
    ├── StorageError        the disk refused: full, read-only, damaged
    ├── JobError            a job cannot be started, cancelled or resumed
    │   └── Cancelled       the user asked the running work to stop
    └── ServerError         the prediction server did not answer as it should

A message is one sentence that names what is wrong and what would be right. Pages show it as it is, and the
command line prints it and ends with exit code 2.
"""

from collections.abc import Iterable


class LmError(Exception):
    """The root: whatever LMScope raises on purpose is one of these."""


class InputError(LmError):
    """What the user gave cannot be used."""


class DataError(InputError):
    """A file, a column or a row of a data set cannot be used."""


class OptionError(InputError):
    """An option has a value outside what it takes."""


class UnknownError(InputError):
    """A name is not among the known ones."""

    def __init__(self, kind: str, name: str, choices: Iterable[str], hint: str = "") -> None:
        known = ", ".join(sorted(choices)) or "none yet"
        super().__init__(f"There is no {kind} {name!r}; known: {known}.{' ' + hint if hint else ''}")
        self.name = name


class UnsafeError(InputError):
    """Something would run foreign code or leave the workspace."""


class AccessError(LmError):
    """The person's role is not enough for what they asked."""


class ResourceError(LmError):
    """Memory or a device is not enough for what was asked."""


class StorageError(LmError):
    """The disk refused: full, read-only or damaged."""


class JobError(LmError):
    """A job cannot be started, cancelled or resumed."""


class Cancelled(JobError):
    """The user asked the running work to stop; what was saved before stays usable."""


class ServerError(LmError):
    """The prediction server did not answer as it should."""
