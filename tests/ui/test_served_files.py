"""What the page serves: its own files, uploads and examples; nothing else of the machine."""

import re
from pathlib import Path

import httpx
import pytest
from gradio import processing_utils

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
    assert answer.status_code < 500, answer.text
    if answer.status_code == 200:
        path = Path(answer.json()[0])
        assert Path(get_upload_folder()).resolve() in path.resolve().parents
    assert not Path("/etc/evil.jpg").exists()


@pytest.fixture
def fetched(monkeypatch) -> list[str]:
    """Addresses that the page's process fetched."""
    addresses: list[str] = []

    async def record(url: str, cache_dir: str) -> str:
        addresses.append(url)
        raise OSError("Nothing is fetched in a test.")

    monkeypatch.setattr(processing_utils, "async_ssrf_protected_download", record)
    return addresses


def asked_as_a_stranger(ask, endpoint, data, visitor="stranger") -> str:
    """What a request is answered that does not come from the page's own buttons."""
    body = {"data": data, "fn_index": endpoint["id"], "session_hash": visitor}
    ask.post("/gradio_api/queue/join", json=body).raise_for_status()
    with ask.stream("GET", "/gradio_api/queue/data", params={"session_hash": visitor}) as lines:
        said = next(line for line in lines.iter_lines() if "process_completed" in line)
    return str(said)


def endpoints(ask) -> dict:
    config = ask.get("/config").json()
    return {d["api_name"]: d for d in config["dependencies"] if d["backend_fn"]}


def file_at(place) -> dict:
    return {"path": place, "url": place, "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize("place", ["/etc/passwd", "file:///etc/passwd"])
@pytest.mark.parametrize("name", ["take_image", "every_stage", "predict"])
def test_a_request_that_names_another_file_is_refused(ask, name, place):
    file = file_at(place)
    data = {
        "take_image": [file, None, "keeps", ""],
        "every_stage": [None, file, ["keeps"]],
        "predict": [file, "", 0],
    }
    said = asked_as_a_stranger(ask, endpoints(ask)[name], data[name])
    assert "root:" not in said
    assert '"success":false' in said or "not arrive" in said


def test_no_input_of_any_endpoint_is_fetched(ask, fetched):
    """Also of a visitor whose choices the page has filled in, and so made anew."""
    known = endpoints(ask)
    assert {"predict", "mask", "latency", "take_image", "other_sides"} <= set(known)
    asked_as_a_stranger(ask, known["first_words"], [])
    for name, endpoint in known.items():
        for at in range(len(endpoint["inputs"])):
            data = [None] * len(endpoint["inputs"])
            data[at] = file_at("https://example.com/a.png")
            said = asked_as_a_stranger(ask, endpoint, data)
            assert not fetched, (name, at, said)


def test_an_address_that_the_page_serves_names_what_was_uploaded(ask, address, fetched):
    content = example_images()["cat"].read_bytes()
    (path,) = ask.post("/gradio_api/upload", files={"files": ("cat.jpg", content)}).json()
    served = file_at(f"{address.rstrip('/')}/gradio_api/file={path}")
    said = asked_as_a_stranger(ask, endpoints(ask)["predict"], [served, "keeps", 3])
    assert '"success":true' in said and not fetched
    elsewhere = file_at("https://example.com/a.png")
    said = asked_as_a_stranger(ask, endpoints(ask)["predict"], [elsewhere, "keeps", 3])
    assert "An address is not fetched" in said and not fetched


def test_the_projects_documents_are_pages_whose_links_lead_on(ask):
    results = ask.get("/project/docs/results.md")
    assert results.headers["content-type"].startswith("text/html")
    assert "<table>" in results.text and "| seeds |" not in results.text
    links = re.findall(r'(?:href|src)="([^":]+)"', results.text)
    assert "../MODEL_CARD.md" in links and "../assets/images/methods.png" in links
    card = ask.get("/project/MODEL_CARD.md").text
    assert "<h1>Model card" in card and "license: apache" not in card
    for link in links:
        assert ask.get(f"/project/docs/{link}").status_code == 200, link
    for other in ("app.py", "../../etc/passwd", "docs/..%2fapp.py", "assets/runs/onehead/run.json"):
        assert ask.get(f"/project/{other}").status_code == 404
