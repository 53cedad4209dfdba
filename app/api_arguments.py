"""What programs send to the endpoints: numbers as text, null, or what no argument can be."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import gradio as gr

from mtl_core.data.text import number, whole
from mtl_core.types import InputError


def answers_programs(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Convert arguments to the types that the endpoint names, and tell bad input in one sentence.

    Null, or nothing, means an argument's default. Files are left to the endpoint.

    Args:
        endpoint: whose ``str``, ``int`` and ``float`` arguments have defaults.
    """
    signature, hints = inspect.signature(endpoint), get_type_hints(endpoint)

    @functools.wraps(endpoint)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            given = signature.bind(*args, **kwargs)
            for name, value in given.arguments.items():
                kind, default = hints[name], signature.parameters[name].default
                given.arguments[name] = _converted(name, value, kind, default)
            return endpoint(*given.args, **given.kwargs)
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return wrapped


def _converted(name: str, value: Any, kind: type, default: Any) -> Any:
    if kind not in _READ:
        return value
    if value is None or value == "":
        return default
    read, expected = _READ[kind]
    found = read(value)
    if found is None:
        raise InputError(f"{name} is {str(value)[:80]!r}: expected {expected}.")
    return found


def within(name: str, value: float, least: float, most: float) -> None:
    """Refuse a number outside of its range.

    Raises:
        InputError: it is.
    """
    if not least <= value <= most:
        raise InputError(f"{name} is {value:g}: expected {least:g} to {most:g}.")


_READ: dict[type, tuple[Callable[[Any], Any], str]] = {
    str: (lambda value: value if isinstance(value, str) else None, "a text"),
    int: (whole, "a whole number"),
    float: (number, "a number"),
}
