"""The page's endpoints as a program calls them."""

import asyncio
import base64
import contextlib
import io
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio_client
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

from app.services.viewed_image import example_images


@pytest.fixture(scope="module")
def client(address):
    return gradio_client.Client(address, verbose=False)


@pytest.fixture
def image():
    return gradio_client.handle_file(str(example_images()["astronaut"]))


def test_predict(client, image):
    answer = client.predict(image=image, run="forgets", stage=3, api_name="/predict")
    assert answer["run"] == "forgets"
    assert answer["size"] == [512, 512]
    assert list(answer["mask_shares"]) == ["cat"]
    assert answer["boxes"][0]["score"] == pytest.approx(0.91, abs=1e-4)
    assert answer["probabilities"]["English springer"] == pytest.approx(0.85, abs=1e-4)
    first = client.predict(image=image, stage=1, api_name="/predict")
    assert first["boxes"] is None
    assert first["trained"] == ["seg"]


def test_compare_stages(client, image):
    answer = client.predict(
        image=image, run="forgets", before=2, after=3, api_name="/compare_stages"
    )
    assert {box["kind"] for box in answer["boxes"]} == {"lost", "kept"}
    assert answer["pixels"][0]["before"] == "dog"
    assert answer["pixels"][0]["after"] == "cat"
    both = client.predict(
        image=image, run="keeps", other_run="forgets", before=3, api_name="/compare_stages"
    )
    assert (both["run"], both["other_run"], both["after"]) == ("keeps", "forgets", 3)
    assert {(p["before"], p["after"]) for p in both["pixels"]} == {
        ("dog", "background"),
        ("dog", "cat"),
    }


def test_matrix(client):
    answer = client.predict(run="forgets", api_name="/matrix")
    assert {"keeps", "forgets"} <= set(answer["runs"])
    assert answer["scores"]["3"]["seg"] == 0.1
    assert answer["drops"][0]["retention"] == pytest.approx(0.2)
    assert {"low", "high", "verdict"} <= set(answer["drops"][0])
    assert answer["classes"]["seg"]["dog"].keys() == {"base", "final"}


def test_latency(client):
    answer = client.predict(passes=5, api_name="/latency")
    assert answer["passes"] == 5
    assert answer["milliseconds"]["total"]["p95"] > 0


def test_endpoints_are_documented(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {"/predict", "/compare_stages", "/matrix", "/latency"}
    for endpoint in endpoints.values():
        assert endpoint["description"]
        for parameter in endpoint["parameters"]:
            assert parameter["label"].startswith(f"{parameter['parameter_name']}: ")


def test_bad_input_is_told_in_a_sentence(client, tmp_path):
    (tmp_path / "no.png").write_bytes(b"no")
    with pytest.raises(Exception, match="could not be read as an image"):
        client.predict(
            image=gradio_client.handle_file(str(tmp_path / "no.png")), api_name="/predict"
        )
    with pytest.raises(Exception, match="unknown"):
        client.predict(run="nowhere", api_name="/matrix")


def test_the_documents_snippet(address):
    document = (Path(__file__).parents[2] / "docs/use.md").read_text(encoding="utf-8")
    snippet = re.search(r"```python\n(from gradio_client.*?)```", document, re.DOTALL).group(1)
    assert "http://127.0.0.1:7860" in snippet and '"photo.jpg"' in snippet
    here = snippet.replace("http://127.0.0.1:7860", address.rstrip("/"))
    here = here.replace('"photo.jpg"', repr(str(example_images()["astronaut"])))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(here, {})
    assert "dog 0.91 at [" in printed.getvalue()


async def as_tools(address, image):
    """What a program that speaks MCP is offered, and what it is told of an image and of a path."""
    async with (
        streamablehttp_client(f"{address.rstrip('/')}/gradio_api/mcp/") as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = (await session.list_tools()).tools
        said = await session.call_tool("predict", {"image": image, "run": "forgets"})
        refused = await session.call_tool("predict", {"image": __file__})
    return tools, said, refused


def test_the_endpoints_are_mcp_tools(address):
    content = base64.b64encode(example_images()["astronaut"].read_bytes()).decode()
    asked = as_tools(address, f"data:image/jpeg;base64,{content}")
    with ThreadPoolExecutor(1) as pool:  # the browser's tests keep a loop running in this thread
        tools, said, refused = pool.submit(asyncio.run, asked).result()
    assert {tool.name for tool in tools} == {"predict", "compare_stages", "matrix", "latency"}
    assert all(tool.description for tool in tools)
    assert not said.isError and "'stage': 3" in said.content[0].text
    assert refused.isError  # a path on the server is nothing that was sent
