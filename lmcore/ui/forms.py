"""Form fields made from a method's options."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lmcore.methods import Option, Registry
from lmcore.ui import linked

SIDE_BY_SIDE = 6
NARROWEST = 190


def option_fields(
    options: Sequence[Option], key: str, values: Mapping[str, Any] | None = None, *, in_link: bool = False
) -> dict[str, Any]:
    """Draw one field for each option; more than six stand side by side where there is room.

    Args:
        options: what to ask for.
        key: unique on the page; the fields' keys begin with it.
        values: what the fields show at first instead of the options' defaults.
        in_link: whether the link carries what is filled in.

    Returns:
        Option name to value, in the option's type.
    """
    given = values or {}
    grid = st.grid(2 if len(options) > SIDE_BY_SIDE else 1, min_column_width=NARROWEST)
    found = {}
    for item in options:
        with grid.cell():
            found[item.name] = _field(item, f"{key}_{item.name}", given.get(item.name, item.default), in_link)
    return found


def method_choice(
    label: str, registry: Registry, key: str, *, names: Sequence[str] | None = None, in_link: bool = False
) -> str:
    """Draw a choice among a registry's methods with the chosen one's sentence below it.

    Args:
        label: of the select box.
        registry: what there is.
        key: unique on the page; the name in the link.
        names: which of them are offered; all where it is None.
        in_link: whether the link carries the choice.
    """
    offered = list(names if names is not None else registry)

    def title(name: str) -> str:
        return registry[name].title

    if in_link:
        name = linked.select(label, offered, key, format_func=title)
    else:
        if key in st.session_state and st.session_state[key] not in offered:
            st.session_state[key] = offered[0]
        name = st.selectbox(label, offered, format_func=title, key=key)
    st.caption(registry[name].summary)
    return name


def _field(item: Option, key: str, value: Any, in_link: bool) -> Any:
    label = item.name.replace("_", " ").capitalize()
    shared: dict[str, Any] = {"key": key, "help": item.help, "bind": "query-params" if in_link else None}
    if item.kind == "bool":
        return st.checkbox(label, value=bool(value), **shared)
    if item.kind == "choice":
        return st.selectbox(label, item.choices, index=item.choices.index(value), **shared)
    if item.kind == "text":
        return st.text_input(label, value=value or "", **shared)
    if item.optional:
        shared["placeholder"] = item.empty
    if item.kind == "int":
        return st.number_input(label, value=value, step=1, **_bounds(item, int), **shared)
    step = abs(value or 1.0) / 10
    return st.number_input(label, value=value, step=step, format="%g", **_bounds(item, float), **shared)


def _bounds(item: Option, number: type[int] | type[float]) -> dict[str, Any]:
    limits = {"min_value": item.minimum, "max_value": item.maximum}
    return {name: number(limit) for name, limit in limits.items() if limit is not None}
