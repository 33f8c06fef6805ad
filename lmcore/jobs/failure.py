"""What to tell the user about an exception that ended a job."""

import errno

from lmcore.errors import LmError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_MEMORY_NAMES = {"MemoryError", "OutOfMemoryError"}
_MEMORY_TEXTS = ("DefaultCPUAllocator", "out of memory")


def explain(error: BaseException) -> str:
    """Return one sentence that says what went wrong and what to do about it.

    Errors of LMScope say so themselves. Others are named by their type alone, since their text may hold what the
    user wrote; the log has the details.
    """
    if isinstance(error, LmError):
        return str(error)
    if _is_memory(error):
        return "The memory ran out: take a smaller model, batch or maximum length, or wait until other work has ended."
    if _is_full(error):
        return "The disk is full: free some space, then resume the job; what was saved before is untouched."
    return f"The job stopped with an unexpected {type(error).__name__}: its log holds the details."


def _is_memory(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}  # torch's own kind is known by name, without torch
    if names & _MEMORY_NAMES:
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _MEMORY_TEXTS)


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return "No space left on device" in str(error)  # torch and safetensors wrap the system's error in their own
