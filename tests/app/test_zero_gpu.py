"""ZeroGPU hosts find the GPU function that they ask for; others need no ``spaces`` package."""

import sys

from app.hosting import declare_gpu_function


def test_a_gpu_function_is_declared_where_the_host_asks(tmp_path, monkeypatch):
    (tmp_path / "spaces.py").write_text("declared = []\nGPU = declared.append\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "spaces", raising=False)
    assert declare_gpu_function()
    declared = sys.modules["spaces"].declared
    assert len(declared) == 1 and callable(declared[0])


def test_other_hosts_need_no_such_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not declare_gpu_function()
