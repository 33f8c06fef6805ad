"""What measuring how far a map can be trusted costs, in a sentence each, said before it runs."""

WORDS_COST = (
    "Takes words away, asks other methods, edits the text and draws the weights of a copy anew: some hundred model calls, "
    "and as much memory again as the model for a moment."
)
PARTS_COST = (
    "Edits the text and draws the weights of a copy anew: some forty model calls, and as much memory again as the model for "
    "a moment."
)
CONTRIBUTIONS_COST = (
    "Edits the text and draws the weights of a copy anew: some twenty model calls, and as much memory again as the model for "
    "a moment."
)


def asked_besides(cost: str) -> str:
    """Return such a cost as the command line says it, where ``--trust`` was given."""
    return f"Besides, --trust {cost[0].lower()}{cost[1:]}"
