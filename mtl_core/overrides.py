"""Changes of a recipe from outside: dotted names from a shell, or the tables of a TOML file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from mtl_core.config import ModelConfig, RunConfig, StageConfig
from mtl_core.old_names import renamed_keys
from mtl_core.types import InputError


def with_changes(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    """A config with some of its fields set.

    Args:
        config: the recipe to change.
        changes: nested as the config is, stages by their task id; or with dotted names. A stage
            that names no earlier one is left out of ``distill`` by whoever leaves the stage out.

    >>> from mtl_core.presets import tiny
    >>> with_changes(tiny(), {"stages.det.lr": 1e-4}).stages[1].lr
    0.0001

    Raises:
        InputError: there is no such field, or the value does not fit it.
    """
    content = config.to_dict()
    content["stages"] = {stage["task"]: stage for stage in content["stages"]}
    for name, value in changes.items():
        _set(content, name.split("."), renamed_keys(value), name)
    content["stages"] = list(content["stages"].values())
    return RunConfig.from_dict(content)


def _set(content: dict[str, Any], names: list[str], value: Any, place: str) -> None:
    name = next(iter(renamed_keys({names[0].replace("-", "_"): None})))
    is_free = content is not None and _free(place)
    if name not in content and not is_free:
        raise InputError(f"{place} is no field of a recipe: expected one of {', '.join(content)}.")
    if len(names) > 1:
        _set(content[name], names[1:], value, place)
    elif isinstance(value, Mapping) and isinstance(content.get(name), dict):
        for key, inner in value.items():
            _set(content[name], [key], inner, f"{place}.{key}")
    else:
        content[name] = value


def _free(name: str) -> bool:
    """Whether a name's last part is a key of the user's own: a weight per task, a floor."""
    return any(part in name.split(".")[:-1] for part in ("distill", "floors"))


def from_toml(path: Path) -> dict[str, Any]:
    """The tables of a recipe file.

    Raises:
        InputError: the file is missing or no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML ({error}).") from error


def from_arguments(arguments: Sequence[str]) -> dict[str, Any]:
    """Changes from a shell's words, such as ``--stages.det.lr 1e-3 --model.levels 3 4``.

    Raises:
        InputError: a word is no option, or an option has no value.
    """
    changes: dict[str, list[str]] = {}
    name = ""
    for word in arguments:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            changes[name] = [value] if equals else []
        elif name:
            changes[name].append(word)
        else:
            raise InputError(f"{word!r} belongs to no option.")
    for name, words in changes.items():
        if not words:
            raise InputError(f"--{name} has no value.")
    return {name: _value(name, words) for name, words in changes.items()}


def _value(name: str, words: list[str]) -> Any:
    values = [_parsed(word) for word in words]
    return values if len(values) > 1 or _is_list(name.split(".")[-1]) else values[0]


def _is_list(field: str) -> bool:
    for kind in (ModelConfig, StageConfig):
        hints = get_type_hints(kind)
        if field in hints and get_origin(hints[field]) is tuple:
            return True
    return False


def _parsed(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        return word


def shown(config: RunConfig) -> str:
    """A config as TOML, which ``from_toml`` reads."""
    content = config.to_dict()
    content["stages"] = {stage.pop("task"): stage for stage in content["stages"]}
    return "\n".join(_tables(content, ""))


def _tables(content: Mapping[str, Any], place: str) -> list[str]:
    lines = [f"[{place}]"] if place else []
    tables = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    lines += [f"{key} = {json.dumps(v)}" for key, v in content.items() if key not in tables]
    for key, value in tables.items():
        lines += ["", *_tables(value, f"{place}.{key}" if place else key)]
    return lines
