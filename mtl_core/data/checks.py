"""What is wrong with the data of a run, all of it at once, before a step is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtl_core.data.image_io import read_frame
from mtl_core.data.mask_folders import VOC_CLASS_NAMES
from mtl_core.data.shared_images import Appearance, appearance, in_threads, shared_sentences
from mtl_core.data.splits import VOID, ClsItem, DataFaults, DetItem, SegItem, Split
from mtl_core.types import InputError

# Shares of a split's boxes or classes from which a suspicion is worth a sentence.
_OVERHANGING = 0.25
_VOC_NAMES_USED = 0.5
_FRACTION = 1.5

Bar = Callable[[Iterable[Any], int], Iterable[Any]]  # (items, how many) -> the same items


@dataclass(frozen=True)
class Source:
    """A split as it will be read.

    Attributes:
        task: id of the task.
        name: of the split.
        open: reads names and annotations.
        read: (item, split) -> image H x W x 3 uint8, and its truth.
    """

    task: str
    name: str
    open: Callable[[], Split]
    read: Callable[[Any, Split], tuple[np.ndarray, Any]]


@dataclass
class Report:
    """What was found.

    Attributes:
        faults: what cannot be trained on or measured; one sentence each.
        warnings: what is legal and surely not meant; one sentence each.
        counts: task -> split -> class -> images of it (boxes, where there are boxes).
        images: task -> split -> number of images.
    """

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    counts: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    images: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass
class _Seen:
    """One split after all of its images were read."""

    split: Split
    appearances: list[Appearance | None]
    counts: dict[str, int]  # boxes or images per class
    ids: set[int]  # that masks hold
    sideways: int  # images that EXIF turns without changing their size


def check_splits(
    pairs: Sequence[tuple[Source, Source]], bar: Bar | None = None, near: bool = True
) -> Report:
    """Read every image and label of every split.

    Args:
        pairs: per task the split that is trained on, and the one that is held out.
        bar: wraps the images of a split to show progress.
        near: warn of near-identical images in both splits of a task.
    """
    report = Report()
    for train, held_out in pairs:
        seen = [_seen(source, report, bar) for source in (train, held_out)]
        for one in filter(None, seen):
            _warn_of_split(one, report)
        if seen[0] and seen[1]:
            _compare(seen[0], seen[1], report, near)
    # Parts of one split are read from the same files.
    report.faults, report.warnings = ([*dict.fromkeys(s)] for s in (report.faults, report.warnings))
    return report


def _seen(source: Source, report: Report, bar: Bar | None) -> _Seen | None:
    try:
        split = source.open()
    except DataFaults as error:
        report.faults += error.sentences
        if error.split is None:
            return None
        split = error.split
    except InputError as error:
        report.faults.append(str(error))
        return None

    def read(item: Any) -> tuple[str, Appearance | None, Any, bool]:
        try:
            pixels, truth = source.read(item, split)
            frame = read_frame(item.image)
        except InputError as error:
            return str(error), None, None, False
        ids = np.unique(truth).tolist() if isinstance(item, SegItem) else []
        sideways = frame.orientation > 1 and frame.stored_wh == frame.upright_wh
        return "", appearance(pixels), ids, sideways

    rows = in_threads(read, split.items)
    found = list(bar(rows, len(split)) if bar else rows)
    report.faults += [fault for fault, *_ in found if fault]
    counts = _counts(split, [ids for _, _, ids, _ in found])
    report.counts.setdefault(source.task, {})[source.name] = counts
    report.images.setdefault(source.task, {})[source.name] = len(split)
    ids = {i for _, _, of_image, _ in found for i in of_image or ()}
    appearances = [one for _, one, _, _ in found]
    return _Seen(split, appearances, counts, ids, sum(turned for *_, turned in found))


def _counts(split: Split, ids_of_masks: list[list[int] | None]) -> dict[str, int]:
    if not isinstance(split.items[0], SegItem | DetItem | ClsItem):
        return {}  # of a task of the user's own, whose truth may have no classes
    counts = dict.fromkeys(split.class_names, 0)
    for item, ids in zip(split.items, ids_of_masks, strict=True):
        labels: Iterable[int] = ()
        if isinstance(item, SegItem):
            labels = [i for i in ids or () if i != VOID]
        elif isinstance(item, DetItem):
            labels = item.labels[~item.crowd].tolist()
        elif isinstance(item, ClsItem):
            labels = [item.label]
        for label in labels:
            counts[split.class_names[label]] += 1
    return counts


def _warn_of_split(seen: _Seen, report: Report) -> None:
    split, warn = seen.split, report.warnings.append
    report.warnings += split.notes
    where = f'{split.annotations or split.items[0].image.parent} (split "{split.name}")'
    if seen.sideways and not isinstance(split.items[0], ClsItem):
        warn(
            f"{where} holds {seen.sideways} images that their EXIF orientation turns without a "
            "change of size: labels must have been made on the upright images."
        )
    boxes = [item for item in split.items if isinstance(item, DetItem)]
    if boxes:
        _warn_of_boxes(boxes, where, warn)
    if seen.ids == {0, VOID}:
        warn(
            f"{where} has masks of 0 and {VOID} alone: {VOID} means void, so class 1 "
            f"({split.class_names[1]}) never occurs; write the object as 1."
        )
    named = [name for name, count in seen.counts.items() if count]
    as_voc = isinstance(split.items[0], SegItem) and split.class_names == VOC_CLASS_NAMES
    if as_voc and len(named) < _VOC_NAMES_USED * len(VOC_CLASS_NAMES):
        warn(
            f"{where} has masks of {len(named)} class ids, which get VOC's names "
            f"({', '.join(named[:4])} ...): name your own in classes.txt."
        )


def _warn_of_boxes(items: list[DetItem], where: str, warn: Callable[[str], None]) -> None:
    boxes = np.concatenate([item.boxes_xyxy_px for item in items])
    if not len(boxes):
        warn(f"{where} has no box at all.")
        return
    if np.concatenate([item.crowd for item in items]).all():
        warn(f"{where} has boxes of crowds alone, which are neither trained nor measured.")
    if boxes.max() <= _FRACTION:
        warn(
            f"{where} has boxes below {_FRACTION} px alone: fractions of the image, it seems, "
            "where pixels are expected."
        )
    over = sum(item.overhanging for item in items)
    if over > _OVERHANGING * len(boxes):
        warn(
            f"{where} has {over} of {len(boxes)} boxes that reach out of their images: corners "
            "(left, top, right, bottom), it seems, where left, top, width, height is expected."
        )


def _compare(train: _Seen, held_out: _Seen, report: Report, near: bool) -> None:
    task, names = train.split.task, (train.split.name, held_out.split.name)
    for name, count in held_out.counts.items():
        if name not in train.counts:
            report.faults.append(
                f'{_first_of(held_out.split, name)} is of class "{name}", which {task} has in '
                f'split "{names[1]}" alone, expected classes of split "{names[0]}".'
            )
        elif count and not train.counts[name]:
            report.warnings.append(
                f'Class "{name}" of {task} occurs in split "{names[1]}" alone: it cannot be '
                "learned."
            )
    never = [n for n, count in train.counts.items() if not count and not held_out.counts.get(n)]
    if never:
        shown = ", ".join(f'"{name}"' for name in never)
        report.warnings.append(f"No image of {task} holds {shown} in either split.")
    present = [name for name, count in train.counts.items() if count]
    # One class of boxes is an ordinary set: there is background to tell it from.
    if len(present) == 1 and not isinstance(train.split.items[0], DetItem):
        report.warnings.append(
            f'Split "{names[0]}" of {task} holds one class alone, "{present[0]}": there is '
            "nothing to tell apart."
        )
    same, similar = shared_sentences(
        train.split, held_out.split, train.appearances, held_out.appearances
    )
    report.faults += same
    report.warnings += similar if near else []


def _first_of(split: Split, name: str) -> str:
    """A file that shows a class, or the one that lists it."""
    label = split.class_names.index(name)
    for item in split.items:
        labels = item.labels if isinstance(item, DetItem) else [getattr(item, "label", None)]
        if label in labels:
            return str(item.image)
    return str(split.annotations or split.items[0].image.parent)
