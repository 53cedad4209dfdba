"""The page's endpoints as a program calls them."""

import asyncio
import base64
import contextlib
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio_client
import numpy as np
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from PIL import Image

from app.services.viewed_image import example_images

TOOLS = {"predict", "compare_stages", "overlay", "mask", "matrix", "latency"}


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
    assert set(endpoints) == {f"/{name}" for name in TOOLS}
    for endpoint in endpoints.values():
        assert endpoint["description"]
        for parameter in endpoint["parameters"]:
            assert parameter["label"].startswith(f"{parameter['parameter_name']}: ")


@pytest.mark.parametrize("name", ["predict", "compare_stages", "matrix", "latency"])
def test_everything_in_an_answer_is_documented(client, demo, image, name):
    arguments = {"image": image} if name in ("predict", "compare_stages") else {}
    answer = client.predict(**arguments, api_name=f"/{name}")
    documented = next(f.fn.__doc__ for f in demo.fns.values() if f.api_name == name)
    returned = set(re.findall(r"\w+", documented.partition("Returns:")[2]))
    assert set(answer) <= returned
    for drop in answer.get("drops", []):
        assert set(drop) <= returned


SIZES = {"large": (6000, 4000), "small": (20, 30), "thin": (3000, 12)}


@pytest.fixture(params=SIZES)
def turned(request, tmp_path) -> tuple[str, tuple[int, int]]:
    """A photo that its EXIF turns, and its upright width and height."""
    width, height = SIZES[request.param]
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "photo.jpg"
    Image.linear_gradient("L").resize((height, width)).convert("RGB").save(path, exif=exif)
    return str(path), (width, height)


def test_answers_are_in_the_pixels_that_were_sent(client, turned):
    path, (width, height) = turned
    image = gradio_client.handle_file(path)
    answer = client.predict(image=image, api_name="/predict")
    assert answer["size"] == [height, width]
    # As the stand-in answers by rule: 0.2 to 0.8, moved by 0.08 in the last stage.
    expected = [0.28 * width, 0.2 * height, 0.6 * width, 0.6 * height]
    assert answer["boxes"][0]["bbox"] == pytest.approx(expected, abs=0.06)
    changed = client.predict(image=image, run="forgets", before=2, api_name="/compare_stages")
    assert changed["size"] == [height, width]
    for group in changed["pixels"]:
        assert group["pixels"] == pytest.approx(group["share"] * width * height, abs=1)
    with Image.open(client.predict(image=image, run="keeps", api_name="/mask")) as mask:
        assert (mask.mode, mask.size) == ("P", (width, height))
        found = np.bincount(np.asarray(mask).ravel()) / (width * height)
    shares = client.predict(image=image, run="keeps", api_name="/predict")
    dog = shares["mask_classes"].index("dog")
    assert found[dog] == pytest.approx(shares["mask_shares"].get("dog", 0), abs=0.01)
    with Image.open(client.predict(image=image, api_name="/overlay")) as drawn:
        assert drawn.width / drawn.height == pytest.approx(width / height, rel=0.2)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({"before": "2", "after": "3", "score": "0.4"}, {"before": 2, "after": 3}),
        ({"before": 2.0, "after": None, "score": None, "run": None}, {"before": 2, "after": 3}),
        ({"before": "second"}, "before is 'second': expected a whole number"),
        ({"before": True}, "before is 'True': expected a whole number"),
        ({"before": 1.5}, "before is '1.5': expected a whole number"),
        ({"after": [1]}, "after is '\\[1\\]': expected a whole number"),
        ({"before": 9}, "has no stage 9, expected one of 1, 2, 3"),
        ({"score": 7}, "score is 7: expected 0 to 1"),
        ({"score": "nan"}, "score is 'nan': expected a number"),
        ({"run": {"a": 1}}, "run is .*: expected a text"),
        ({"run": "<b>"}, "Run “<b>” is unknown"),
    ],
)
def test_arguments_are_converted_or_refused_in_a_sentence(client, image, arguments, wanted):
    def ask():
        return client.predict(image=image, api_name="/compare_stages", **arguments)

    if isinstance(wanted, str):
        with pytest.raises(gradio_client.exceptions.AppError, match=wanted) as refused:
            ask()
        assert "\n" not in str(refused.value)
    else:
        assert wanted.items() <= ask().items()


@pytest.mark.parametrize("image", [None, "no file", 7, {"path": "/etc/passwd"}, []])
def test_what_is_no_file_is_refused(client, image):
    with pytest.raises(gradio_client.exceptions.AppError) as refused:
        client.predict(image=image, api_name="/predict")
    assert "upstream" not in str(refused.value) and "root:" not in str(refused.value)


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
        drawn = await session.call_tool("overlay", {"image": image})
        nonsense = await session.call_tool("matrix", {"run": "nowhere"})
    return tools, said, refused, drawn, nonsense


def test_the_endpoints_are_mcp_tools(address):
    content = base64.b64encode(example_images()["astronaut"].read_bytes()).decode()
    asked = as_tools(address, f"data:image/jpeg;base64,{content}")
    with ThreadPoolExecutor(1) as pool:  # the browser's tests keep a loop running in this thread
        tools, said, refused, drawn, nonsense = pool.submit(asyncio.run, asked).result()
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        described = [field["description"] for field in tool.inputSchema["properties"].values()]
        assert tool.description and all(described)
    assert not said.isError and json.loads(said.content[0].text)["stage"] == 3
    assert refused.isError  # a path on the server is nothing that was sent
    picture = Image.open(io.BytesIO(base64.b64decode(drawn.content[0].data)))
    assert (drawn.content[0].type, picture.size) == ("image", (512, 512))
    assert nonsense.isError and "Run “nowhere” is unknown" in nonsense.content[0].text
