"""What the page serves: its own files, uploads and examples; nothing else of the machine."""

from pathlib import Path

import httpx
import pytest

from app.services.viewed_image import EXAMPLES, example_images

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ask(address):
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=//etc/passwd",
        "gradio_api/file=/proc/self/environ",
        f"gradio_api/file={ROOT}/app.py",
        f"gradio_api/file={ROOT}/assets/runs/onehead/run.json",
        f"gradio_api/file={EXAMPLES}/../../app.py",
        f"gradio_api/file={EXAMPLES}/%2e%2e/%2e%2e/app.py",
        f"gradio_api/file={EXAMPLES}",
        "gradio_api/file=file:///etc/passwd",
        "gradio_api/file=http://example.com/",
        "gradio_api/file=https:/example.com/",
        "gradio_api/file=http%3A%2F%2Fexample.com%2F",
        "gradio_api/proxy=https://example.com/",
        "static/..%2f..%2f..%2fetc/passwd",
        "assets/..%2f..%2f..%2f..%2fetc/passwd",
        "custom_component/../../etc/passwd",
        "../../../etc/passwd",
    ],
)
def test_other_files_are_not_served(ask, path):
    answer = ask.get(f"/{path}")
    assert answer.status_code in (400, 403, 404, 405), answer.text[:200]
    assert "root:" not in answer.text and "import" not in answer.text


def test_examples_are_served(ask):
    path = example_images()["cat"]
    assert ask.get(f"/gradio_api/file={path}").content == path.read_bytes()


@pytest.mark.parametrize(
    "name", ["../../../evil.jpg", "/etc/evil.jpg", "..\\..\\evil.jpg", "a\0.jpg", "."]
)
def test_an_uploads_name_leads_nowhere(ask, name):
    from gradio.utils import get_upload_folder

    content = example_images()["cat"].read_bytes()
    answer = ask.post("/gradio_api/upload", files={"files": (name, content, "image/jpeg")})
    if answer.status_code == 200:
        path = Path(answer.json()[0])
        assert Path(get_upload_folder()).resolve() in path.resolve().parents
    else:
        assert answer.status_code < 500 or answer.text == "Internal Server Error"
    assert not Path("/etc/evil.jpg").exists()


@pytest.mark.parametrize(
    "place", ["https://example.com/a.png", "/etc/passwd", "file:///etc/passwd"]
)
@pytest.mark.parametrize("name", ["take_image", "every_stage", "predict"])
def test_a_request_that_names_another_file_is_refused(ask, name, place):
    """As a stranger would send it who does not use the page's own buttons."""
    config = ask.get("/config").json()
    endpoint = next(d["id"] for d in config["dependencies"] if d["api_name"] == name)
    file = {"path": place, "url": place, "meta": {"_type": "gradio.FileData"}}
    data = {
        "take_image": [file, None, "keeps", ""],
        "every_stage": [None, file],
        "predict": [file, "", 0],
    }
    body = {"data": data[name], "fn_index": endpoint, "session_hash": f"stranger-{name}"}
    ask.post("/gradio_api/queue/join", json=body).raise_for_status()
    asked = {"session_hash": body["session_hash"]}
    with ask.stream("GET", "/gradio_api/queue/data", params=asked) as lines:
        said = next(line for line in lines.iter_lines() if "process_completed" in line)
    assert "root:" not in said
    assert '"success":false' in said or "not arrive" in said or "not fetched" in said
