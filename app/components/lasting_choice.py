"""Choices whose value reaches its callback, whatever the server remembers of the visitor."""

from __future__ import annotations

from typing import TypeVar

import gradio as gr

Choice = TypeVar("Choice", gr.CheckboxGroup, gr.Dropdown, gr.Radio)


def lasting(component: Choice) -> Choice:
    """A choice without Gradio's check of what is sent: callbacks hold values to what there is.

    Gradio knows choices that were filled in later only as long as it keeps the visitor's session,
    and lets go of that when a hundred others have come; every choice would fail from then on.
    Replaced on the instance, because Gradio writes a stub file beside the source of every subclass.
    """
    component.preprocess = lambda payload: payload  # type: ignore[method-assign]
    return component
