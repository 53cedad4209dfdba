"""The page from a shell: which runs, which address."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from app.components.sides import opening_sides
from app.page import build_page, launch_options
from app.services.engines import EngineShelf
from app.services.memory import keep_small
from app.services.runs import RunShelf, open_run, shipped_runs
from app.services.validation_images import ValidationImages
from app.site import Site
from mtl_core.types import InputError

_HOST = "127.0.0.1"


def site_of(places: Sequence[str] = (), host: str | None = None, data: str | None = None) -> Site:
    """The named runs in their order, then the shipped ones.

    Args:
        places: run directories or Hub ids.
        host: the address to listen on; None means what the environment or the default says.
        data: root of the sets whose validation images the runs were measured on.

    Raises:
        InputError: a named place is not a run.
        SystemExit: ``ONEHEAD_REPOSITORY`` is no address of the web.
    """
    address = host or os.environ.get("GRADIO_SERVER_NAME") or _HOST
    shared = "SPACE_ID" in os.environ or os.environ.get("GRADIO_SHARE", "").lower() == "true"
    local = address in ("127.0.0.1", "localhost", "::1") and not shared
    validation_images = None if data is None else ValidationImages(Path(data))
    repository = os.environ.get("ONEHEAD_REPOSITORY", "")
    if repository and not repository.startswith(("https://", "http://")):
        sys.exit(f"ONEHEAD_REPOSITORY is {repository!r}: expected https://…, or nothing.")
    runs = RunShelf([*map(open_run, places), *shipped_runs()])
    return Site(runs, EngineShelf(), local, validation_images, repository=repository)


def main(demo: gr.Blocks, site: Site, arguments: Sequence[str] | None = None) -> None:
    """Serve the page until interrupted.

    Runs or a host on the command line make the page anew; without them the given one is served.
    """
    options = _parser().parse_args(arguments)
    keep_small()
    if options.run or options.host or options.data:
        try:
            site = site_of(options.run, options.host, options.data)
        except InputError as error:
            sys.exit(str(error))
        demo = build_page(site)
    warm_ups = [site.engines.warm_up(site.runs.get(n)) for n in opening_sides(site) if n]
    # A host sets these in the environment; a word on the command line goes before them.
    name = options.host or os.environ.get("GRADIO_SERVER_NAME") or _HOST
    port = options.port or int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    try:
        demo.launch(server_name=name, server_port=port, **launch_options())
    except OSError as error:
        if "empty port" not in str(error):
            raise
        sys.exit(f"Port {port} is taken by another program: choose another with --port.")
    finally:  # what still opens graphs when the process ends would abort it
        for warm_up in warm_ups:
            warm_up.join()


def start() -> None:
    """The page as an installed command, ``onehead``."""
    site = site_of()
    main(build_page(site), site)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="app.py", description="The OneHead page: watch a network learn and forget."
    )
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        metavar="PATH_OR_HUB_ID",
        help="a run directory or a Hub repository; may be given several times",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="the sets that the runs were measured on, to show the images behind the figures",
    )
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 7860)")
    return parser
