"""The page that goes with exported files."""

from __future__ import annotations

import json
from pathlib import Path

from training.markdown import markdown

# Run by a test as it stands, with the two file names put in.
SNIPPET = """\
import json
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("{file}")
about = session.get_modelmeta().custom_metadata_map
names = json.loads(about["class_names"])
image = Image.open("photo.jpg")
turns = {{2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}}  # of a camera's EXIF tag 274
turn = turns.get(image.getexif().get(274))
image = image.convert("RGBA") if turn is None else image.convert("RGBA").transpose(turn)
image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
scale = min(int(about["input_px"]) / max(image.size), float(about["max_enlarge"]))
width, height = (max(1, round(side * scale)) for side in image.size)
pixels = np.full((1, -(-height // 32) * 32, -(-width // 32) * 32, 3), {pad}, np.uint8)
pixels[0, :height, :width] = image.resize((width, height), Image.Resampling.BILINEAR)
outputs = [output.name for output in session.get_outputs()]
found = dict(zip(outputs, session.run(None, {{"pixels": pixels}})))
"""
USES = {
    "label_map": """\
mask = found["mask"][:height, :width]
print("in the image:", [names["{task}"][i] for i in np.unique(mask)])
""",
    "boxes": """\
boxes = found["boxes"] * np.tile(np.divide(image.size, (width, height)), 2)
for box, score, label in zip(boxes, found["scores"], found["labels"]):
    if score > 0.3:
        print(names["{task}"][label], round(float(score), 2), box.round().astype(int))
""",
    "bars": """\
shown = names["{task}"][found["probabilities"].argmax()]
least = json.loads(about["accepts"]).get("{task}", {"least": 0})["least"]
print("the image shows:", shown if found.get("acceptance", 0) >= least else "none of the classes")
""",
}


TITLES = {"label_map": "segmentation", "boxes": "detection", "bars": "classification"}


def snippet(file: str, tasks: list[str], kinds: dict[str, str], pad_value: int) -> str:
    """Python code that uses an exported file on ``photo.jpg``, without PyTorch."""
    uses = [USES[kinds[task]].replace("{task}", task) for task in tasks]
    return SNIPPET.format(file=file, pad=pad_value) + "".join(uses)


def readme(
    run_name: str,
    files: dict[str, list[str]],
    metadata: dict[str, str],
    outputs: dict[str, str],
    losses: dict[str, dict[str, dict[str, float]]],
) -> str:
    """The page as Markdown.

    Args:
        run_name: the run that was exported.
        files: per file the tasks that it answers, in order of the stages.
        metadata: of the last file.
        outputs: per output what it holds.
        losses: per int8 file its scores: ``float`` and ``int8``, each metric -> fraction.
    """
    last, tasks = next((f, t) for f, t in reversed(files.items()) if ".int8" not in f)
    kinds = json.loads(metadata["kinds"])
    lines = [
        f"# {Path(run_name).name}, for onnxruntime",
        "",
        markdown(
            ["file", "answers"],
            [[f"`{f}`", ", ".join(TITLES[kinds[t]] for t in own)] for f, own in files.items()],
        ),
        "",
        f"Input `pixels`: {metadata['input']}; input_px = {metadata['input_px']}, max_enlarge = "
        f"{metadata['max_enlarge']}, pad_value = {metadata['pad_value']}. Normalisation, decoding "
        "and non-maximum suppression are inside.",
        "",
        markdown(["output", "holds"], [[f"`{name}`", text] for name, text in outputs.items()]),
        "",
        "Class names and all of this stand in each file's metadata. `pip install onnxruntime "
        "pillow`, then:",
        "",
        "```python",
        snippet(last, tasks, kinds, int(metadata["pad_value"])).rstrip(),
        "```",
    ]
    if losses:
        metrics = list(next(iter(losses.values()))["float"])
        columns = [(metric, kind) for metric in metrics for kind in ("float", "int8")]
        rows = [
            [f"`{file}`", *(f"{v[kind][m]:.4f}" if m in v[kind] else "" for m, kind in columns)]
            for file, v in losses.items()
        ]
        lines += ["", "What int8 costs, measured on validation images:", ""]
        lines.append(markdown(["file", *map(", ".join, columns)], rows))
    return "\n".join(lines) + "\n"
