"""The data layout on disk, found and checked.

Three sets, below one root or each in a folder of its own::

    mini_voc_seg/<split>/*.jpg + *.png             masks of class ids, see mask_folders
    mini_voc_seg/classes.txt                       optional: one name a line, background first
    mini_coco_det/<split>/*.jpg
    mini_coco_det/annotations/instances_<split>.json    or Roboflow's <split>/_annotations.coco.json
    imagenette_160/<split>/<class folder>/*.JPEG
    imagenette_160/classes.json                    optional: {class folder: shown name}

A split is any folder name; ``val`` may be called ``valid``. ``"train:fit"`` and ``"train:tune"``
divide a split, about 85 to 15, so that recipes can be chosen without touching the validation
images. Images are JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF, also in folders inside the split's.

Names and annotation files are checked here; pixels when they are read (``read_image``,
``read_mask``), so that a large set opens at once.
"""

from __future__ import annotations

from mtl_core.data.class_folders import IMAGENETTE_NAMES, read_class_folders
from mtl_core.data.coco_annotations import read_box_folder
from mtl_core.data.fingerprint import check_disjoint, fingerprint
from mtl_core.data.image_io import read_det, read_image
from mtl_core.data.mask_folders import VOC_CLASS_NAMES, read_mask_folder
from mtl_core.data.mask_io import read_mask, read_seg
from mtl_core.data.splits import ClsItem, DetItem, SegItem, Split

__all__ = [
    "IMAGENETTE_NAMES",
    "VOC_CLASS_NAMES",
    "ClsItem",
    "DetItem",
    "SegItem",
    "Split",
    "check_disjoint",
    "fingerprint",
    "read_box_folder",
    "read_class_folders",
    "read_det",
    "read_image",
    "read_mask",
    "read_mask_folder",
    "read_seg",
]
