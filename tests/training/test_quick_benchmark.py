"""The command that measures what a training of a minute keeps."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from training.quick_benchmark import Options, main


def test_every_seed_and_method_gives_base_final_and_retention(tmp_path: Path, capsys):
    out = tmp_path / "kept.csv"
    main(Options(("finetune", "replay"), (3,), epochs=1, images=(16, 5), out=out))
    table = pd.read_csv(out)
    assert set(zip(table.method, table.task, strict=True)) == {
        (method, task) for method in ("finetune", "replay") for task in ("seg", "det")
    }
    first = table[table.task == "seg"]
    assert first.base.nunique() == 1  # one first stage for both
    assert first.cpu_s.notna().tolist() == [True, False]
    assert (first.retention - first.final / first.base).abs().max() < 1e-9
    assert "seed 3, method replay, task seg" in capsys.readouterr().out
