"""Annotation files with anything in any place are read or end in sentences."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtl_core.data.splits import DataFaults
from mtl_core.tasks.data_roots import DataRoots, read_split
from mtl_core.types import InputError

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 30),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["1", "-0", "1e999", "../x", "\x00", "val_000001.jpg", 10**400, "9" * 5000]),
)
anything = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=6), st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=8,
)


def replaced(data: st.DataObject, value: Any) -> Any:
    """The value with something else in a place of it, drawn from the top down."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 9)):
        key = data.draw(st.sampled_from([*value, "segmentation"] if "bbox" in value else [*value]))
        return value | {key: replaced(data, value.get(key))}
    if isinstance(value, list) and value and data.draw(st.integers(0, 9)):
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], replaced(data, value[place]), *value[place + 1 :]]
    return data.draw(anything)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[*HealthCheck])
def test_anything_in_any_place_is_read_or_told(own_scenes: DataRoots, data: st.DataObject):
    path = own_scenes["det"] / "annotations" / "instances_val.json"
    kept = path.with_suffix(".kept")
    if not kept.exists():
        kept.write_bytes(path.read_bytes())
    content = json.loads(kept.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        content = replaced(data, content)
    path.write_text(json.dumps(content))
    sentences = []
    with contextlib.suppress(InputError):
        try:
            split = read_split(own_scenes, "det", "val")
            for item in split.items:
                assert np.isfinite(item.boxes_xyxy_px).all()
                assert all(0 <= label < len(split.class_names) for label in item.labels)
        except DataFaults as error:
            sentences = error.sentences
            raise
    assert all(sentence.endswith(".") for sentence in sentences)
