"""What all commands share: options from a shell, and errors as one sentence."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tyro

from mtl_core.types import InputError

# Names that options had before; kept for one version.
OLD_OPTIONS = {"--maps": "--feature-store", "--probe-steps": "--subset-steps"}
OLD_SETS = ("--seg", "--det", "--cls")  # now --sets TASK DIR ...
WITH_COMMAS = ("--methods", "--seeds", "--sweep", "--tasks")  # lists, once written with commas

T = TypeVar("T")


def present(words: Sequence[str]) -> list[str]:
    """A shell's words with the present names of options, and lists without commas."""
    found: list[str] = []
    sets: list[str] = []
    option = ""
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            option = name
        if option in OLD_SETS:
            if not word.startswith("--"):
                sets += [option[2:], word]
            elif equals:
                sets += [option[2:], value]
        elif name in OLD_OPTIONS:
            found.append(OLD_OPTIONS[name] + equals + value)
        elif option in WITH_COMMAS and not word.startswith("--"):
            found += word.split(",")
        else:
            found.append(word)
    return [*found, "--sets", *sets] if sets else found


def run(main: Callable[[T], Any], options: type[T]) -> None:
    """Parse the shell's words and do what they ask for; end in a sentence where it cannot be."""
    sentences(lambda: main(tyro.cli(options, args=present(sys.argv[1:]))))


def sentences(act: Callable[[], Any]) -> None:
    """Do something, and end the process in one sentence where what it was given is of no use."""
    try:
        guarded(act)
    except InputError as error:
        sys.exit(f"error: {error}")


def guarded(act: Callable[[], Any], reached: Callable[[], str] = lambda: "") -> None:
    """Do something, and end the process in one sentence where it is stopped or a disk fails.

    Args:
        act: what to do.
        reached: how far it has come and how to go on, for what stops it in the middle.
    """
    try:
        act()
    except KeyboardInterrupt:
        sys.exit(f"stopped. {reached()}".rstrip())
    except OSError as error:
        if error.errno not in (
            errno.ENOSPC,
            errno.EROFS,
            errno.EACCES,
            errno.EPERM,
            errno.ENOENT,
            errno.EDQUOT,
            errno.ENOTDIR,
            errno.EIO,
        ):
            raise
        place = f"{error.filename}: " if error.filename else ""
        sys.exit(f"error: {place}{error.strerror}. {reached()}".rstrip())
