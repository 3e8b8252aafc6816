"""Options of `run` that contradict each other are refused before anything plays."""

from __future__ import annotations

import sys

import pytest

from kapellmeister import cli


@pytest.mark.parametrize(("given", "plant"), [((), "builtin"), (("--plant", "remote"), "remote")])
def test_a_program_that_no_plant_looks_at_is_refused(given, plant, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["kapellmeister", "run", "--process", "renderer", *given])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"kapellmeister: command line: --process: says nothing to --plant {plant}"
        "; add --plant process\n"
    )


def test_a_recording_and_figures_in_one_file_are_refused(tmp_path, monkeypatch, capsys):
    there, link = tmp_path / "there.wav", tmp_path / "link.wav"
    link.symlink_to(there)
    given = ["run", "--record", str(there), "--json", str(link)]
    monkeypatch.setattr(sys, "argv", ["kapellmeister", *given])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"kapellmeister: command line: --json {link}: the recording goes there; name another\n"
    )
