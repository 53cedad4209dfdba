"""Makes a data folder that the other commands read: rendered scenes, or official images.

Scenes that need no download, and that the network learns in minutes::

    python -m training.prepare_data --source synthetic --out data/scenes

A sample of the official downloads, unpacked (COCO 2017, PASCAL VOC 2012, imagenette2-160)::

    python -m training.prepare_data --source official --coco COCO --voc VOC2012 \
        --imagenette imagenette2-160 --out data/mini
"""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from tqdm import tqdm

from mtl_core.data.fingerprint import check_disjoint, fingerprint
from mtl_core.tasks import CLS, DET, SEG
from mtl_core.tasks.data_roots import DataRoots, data_roots, read_split
from mtl_core.tasks.rendered_sets import render_dataset
from mtl_core.types import InputError
from training.sources.official import sample_coco, sample_imagenette, sample_voc

TASK_TITLES = {SEG.id: "segmentation", DET.id: "detection", CLS.id: "classification"}


@dataclass(frozen=True)
class Options:
    """Make a data folder: rendered scenes, or a sample of the official downloads."""

    source: Literal["synthetic", "official"]
    """Where the images come from."""
    out: Path
    """Folder to write, new or empty."""
    train: int = 240
    """Training images per task."""
    val: int = 60
    """Validation images per task."""
    seed: int = 0
    """Another seed draws other images."""
    size_px: int = 256
    """Longer side of a rendered image, in pixels; official images keep their size."""
    coco: Path | None = None
    """Holds train2017/, val2017/ and annotations/ (official only)."""
    voc: Path | None = None
    """Holds JPEGImages/, SegmentationClass/ and ImageSets/ (official only)."""
    imagenette: Path | None = None
    """Holds train/ and val/ of imagenette2-160 (official only)."""

    def __post_init__(self) -> None:
        folders = {"--coco": self.coco, "--voc": self.voc, "--imagenette": self.imagenette}
        missing = [option for option, folder in folders.items() if folder is None]
        given = [option for option in folders if option not in missing]
        if self.source == "official" and missing:
            raise InputError(f"--source official lacks {_and(missing)}, expected all three.")
        if self.source == "synthetic" and given:
            raise InputError(f"{_and(given)} came with --source synthetic, expected official.")
        for option, count in (("--train", self.train), ("--val", self.val)):
            if count < 1:
                raise InputError(f"{option} is {count}, expected at least 1.")


def prepare_data(options: Options) -> DataRoots:
    """Writes the three sets and checks them as training will read them.

    Nothing is left behind when it fails.

    Raises:
        InputError: ``out`` is not empty, a source is incomplete, or the samples share an image.
    """
    out = options.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not empty, expected a new or empty folder to write into.")
    counts = {"train": options.train, "val": options.val}
    roots = data_roots(out)
    try:
        _write(options, roots, counts)
        for task in TASK_TITLES:
            splits = [read_split(roots, task, name) for name in counts]
            for sentence in check_disjoint(*splits):
                print(f"warning: {sentence}", file=sys.stderr)
    except BaseException:
        for folder in (roots[task] for task in TASK_TITLES):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return roots


def summary(roots: DataRoots, out: Path) -> str:
    """What was written, and the command that goes on from there."""
    lines = [f"{'task':<15}{'split':<7}{'images':>9}{'classes':>9}  fingerprint"]
    for task, title in TASK_TITLES.items():
        for name in ("train", "val"):
            split = read_split(roots, task, name)
            digest = fingerprint(split)["sha256"][:12]
            count = len(split.class_names)
            lines.append(f"{title:<15}{name:<7}{len(split):>9}{count:>9}  {digest}")
    where = shlex.quote(str(out))
    lines += ["", "Next:", f"  python -m training.train --data {where} --out runs/first"]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """The command; ends with one sentence on standard error when the input is wrong."""
    try:
        options = tyro.cli(Options, prog="python -m training.prepare_data", args=arguments)
        roots = prepare_data(options)
        print(summary(roots, options.out))
    except InputError as error:
        sys.exit(str(error))


def _write(options: Options, roots: DataRoots, counts: dict[str, int]) -> None:
    verb = "rendering" if options.source == "synthetic" else "copying"
    with tqdm(total=3 * sum(counts.values()), desc=verb, unit="image") as bar:
        if options.source == "synthetic":
            render_dataset(options.out, counts, options.size_px, options.seed, bar.update)
            return
        # Checked together in __post_init__.
        assert options.coco and options.voc and options.imagenette
        sample_coco(options.coco, roots[DET.id], counts, options.seed, bar.update)
        sample_voc(options.voc, roots[SEG.id], counts, options.seed, bar.update)
        sample_imagenette(options.imagenette, roots[CLS.id], counts, options.seed, bar.update)


def _and(options: list[str]) -> str:
    return " and ".join(options)


if __name__ == "__main__":
    main()
