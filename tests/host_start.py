"""Start app.py as a host does, with nothing installed but requirements.txt, and ask it something.

A program of its own, because pytest is not among those requirements:
``python -m tests.host_start`` ends with 0 when the page stood and every shipped run answered.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile

from gradio_client import Client, handle_file

from tests.served_page import ROOT, served


def main() -> None:
    """Start, ask every shipped run's last stage about an example image, stop."""
    if importlib.util.find_spec("pytest"):
        print("pytest is installed here: more than requirements.txt may be in use.")
    with tempfile.TemporaryDirectory() as cache:
        host = {"GRADIO_SERVER_NAME": "0.0.0.0", "SPACE_ID": "someone/onehead"}
        with served(**host, ONEHEAD_CACHE=cache) as page:
            print(f"The page stood after {page.start_s:.1f} s.")
            client = Client(page.address, verbose=False)
            image = handle_file(str(ROOT / "assets" / "examples" / "cat.jpg"))
            runs = sorted(path.parent.name for path in ROOT.glob("assets/runs/*/run.json"))
            for run in runs:
                answer = client.predict(image=image, run=run, api_name="/predict")
                if answer["run"] != run or not answer["trained"]:
                    sys.exit(f"Run {run} answered {answer}.")
                print(f"{run} answers, trained {', '.join(answer['trained'])}.")


if __name__ == "__main__":
    main()
