"""What the page says of itself: prose, a drawing, and where a run comes from."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from app.language import Words
from app.results.run_words import images_description
from app.services.viewed_image import EXAMPLES
from mtl_core.runs.run_directory import Run

_HERE = Path(__file__).parent


def prose(words: Words) -> str:
    """The text in the visitor's language, as Markdown."""
    name = "en" if words.language == "en" else "zh_tw"
    return (_HERE / f"{name}.md").read_text(encoding="utf-8")


def drawing(words: Words) -> str:
    """The network as an SVG that takes the page's own ink."""
    labels = {
        key.partition(".")[2]: escape(text)
        for key, text in words.table.items()
        if key.startswith("drawing.")
    }
    return (_HERE / "drawing.svg").read_text(encoding="utf-8").format(**labels)


def licences(words: Words) -> str:
    """The example images' authors and licences, as Markdown without the file's own title.

    The file is in English; what another language has words for is told in them.
    """
    path = EXAMPLES / "LICENSES.md"
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("# ")]
    if words.language != "en":
        lines = [_spoken(line, words) for line in lines]
    return "\n".join(lines)


def _spoken(line: str, words: Words) -> str:
    if line.startswith("| file "):
        return words("about.licence_head")
    if line.startswith("Each was saved"):
        return words("about.licence_note")
    cells = line.split("|")
    shown = f"example.{cells[1].strip(' `').partition('.')[0]}" if len(cells) > 2 else ""
    if shown in words.table:
        cells[2] = f" {words(shown)} "
    return "|".join(cells)


def provenance(name: str, run: Run, words: Words) -> str:
    """How a run was made, as an HTML table of what its manifest holds."""
    manifest = run.manifest
    config = manifest["config"]
    stages = config.get("stages", [])
    machines = [*manifest.get("stage_hardware", {}).values(), manifest.get("hardware", {})]
    places = dict.fromkeys(
        filter(None, (_join(m, ("device", "machine", "cores")) for m in machines))
    )
    initial = manifest.get("initial_weights", {})
    seconds = manifest.get("wall_time_s")
    before = [_trained_before(manifest, number) for number in range(1, len(stages) + 1)]
    if isinstance(seconds, (int, float)):
        seconds += sum(sitting.get("seconds", 0) for sittings in before for sitting in sittings)
    trained = [
        (stage, [*(sitting.get("settings", {}) for sitting in sittings), stage])
        for stage, sittings in zip(stages, before, strict=True)
    ]
    stages = " → ".join(
        f"{words.task(stage.get('task', '?'))} "
        f"({' + '.join(str(settings.get('epochs', '?')) for settings in all_settings)})"
        for stage, all_settings in trained
    )
    rows = {
        "run": name,
        "method": config.get("method"),
        "preset": config.get("preset"),
        "stages": stages,
        "seed": manifest.get("seed", config.get("seed")),
        "classes": _classes(manifest.get("class_names", {}), words),
        "images": images_description(manifest, words),
        "input": f"{run.input_px} px" if run.input_px else None,
        "weights": _join(initial, ("file", "source", "license")),
        "hardware": "; ".join(places),
        "time": words("about.minutes", minutes=f"{seconds / 60:.1f}")
        if isinstance(seconds, (int, float))
        else None,
        "versions": ", ".join(f"{k} {v}" for k, v in manifest.get("versions", {}).items()),
    }
    body = "".join(
        f"<tr><th scope='row'>{escape(words('about.' + key))}</th>"
        f"<td>{escape(str(value))}</td></tr>"
        for key, value in rows.items()
        if value not in (None, "")
    )
    return f"<table class='oh-table'>{body}</table>"


def _trained_before(manifest: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """Earlier runs' trainings of a stage that was trained further, the first one first."""
    found: list[dict[str, Any]] = []
    # Of a run that another one started from, the first stage is taken as it is.
    told = manifest.get("trained_before")
    before = told.get(str(number)) if number > 1 and isinstance(told, dict) else None
    while isinstance(before, dict):
        found.insert(0, before)
        before = before.get("trained_before")
    return found


def _classes(names: Any, words: Words) -> str:
    if not isinstance(names, dict):
        return ""
    return "; ".join(
        f"{words.task(task)} {len(known)}: {', '.join(map(words.class_name, known))}"
        for task, known in names.items()
    )


def _join(content: Any, keys: tuple[str, ...]) -> str:
    if not isinstance(content, dict):
        return str(content or "")
    return ", ".join(str(content[key]) for key in keys if content.get(key) not in (None, ""))
