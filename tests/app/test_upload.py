from pathlib import Path

import pytest
from gradio.data_classes import FileData, ImageData

from app.components.upload import image_upload, uploaded_path
from mtl_core.types import InputError


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


def test_an_uploaded_file_is_taken(folder):
    path = folder / "a.png"
    path.touch()
    assert uploaded_path({"path": str(path)}) == path.resolve()
    assert uploaded_path(FileData(path=str(path))) == path.resolve()


@pytest.mark.parametrize("named", [None, "", "/etc/passwd", "{folder}/../secret.png", "{folder}"])
def test_any_other_path_is_refused(folder, named):
    (folder.parent / "secret.png").touch()
    with pytest.raises(InputError, match="did not arrive"):
        uploaded_path({"path": named and named.format(folder=folder)})


def test_a_link_out_of_the_folder_is_refused(folder):
    (folder.parent / "secret.png").touch()
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    with pytest.raises(InputError):
        uploaded_path({"path": str(folder / "link.png")})


def test_the_component_passes_the_path_on_unread(tmp_path):
    path = tmp_path / "no-image.png"
    path.write_bytes(b"no image")
    component = image_upload()
    assert component.preprocess(ImageData(path=str(path))) == str(path)
    assert component.preprocess(None) is None
    assert component.get_block_name() == "image"


def test_a_path_that_nobody_uploaded_is_not_opened(tmp_path):
    from gradio.utils import get_upload_folder

    from app.components.upload import uploaded_path

    sent = Path(get_upload_folder()) / "abc" / "sent.png"
    assert uploaded_path(str(sent)) == sent.resolve()
    for path in ("/etc/passwd", str(tmp_path / "mine.png"), str(sent / ".." / ".." / ".." / "x")):
        for form in (path, {"path": path}):
            with pytest.raises(InputError, match="did not arrive"):
                uploaded_path(form)


def test_an_address_stands_for_an_uploaded_file_alone(folder):
    path = folder / "a b.png"
    path.touch()
    served = f"http://somewhere:7860/gradio_api/file={str(path).replace(' ', '%20')}"
    assert uploaded_path({"path": served}) == path.resolve()
    for named in (
        "http://somewhere/photo.png",
        "https://somewhere/gradio_api/file=/etc/passwd",
        f"http://somewhere/gradio_api/file={folder}/../secret.png",
    ):
        with pytest.raises(InputError, match=r"not fetched|did not arrive"):
            uploaded_path({"path": named})
