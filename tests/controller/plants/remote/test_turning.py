"""A command that turns a knob, fails, hangs or does not exist."""

from __future__ import annotations

import sys
from pathlib import Path

from fake_service import controlled
from fakes import Scripted, action


def test_a_command_turns_a_knob_and_gets_the_value_as_one_argument(tmp_path: Path):
    script = f"import sys; open({str(tmp_path / 'asked')!r}, 'w').write(sys.argv[1])"
    with controlled(Scripted(action("nodes", 2)), **commanded(script, "{value};x")) as made:
        assert made.tick().refusals == ()
        made.plant._requests.wait(10)
        assert (tmp_path / "asked").read_text() == "2;x"


def test_a_command_that_fails_is_a_refusal_in_its_own_words():
    script = "import sys; sys.exit('Traceback\\nno room\\x1b[2J')"
    with controlled(Scripted(action("nodes", 2)), **commanded(script, "{value}")) as made:
        tick = made.tick()
        assert tick.refusals[0].reason == f"{sys.executable} ended with 1: no room [2J"


def test_a_command_that_hangs_ends_with_all_that_it_started():
    script = "import subprocess; subprocess.run(['sleep', '60'])"
    with controlled(Scripted(action("nodes", 2)), **commanded(script, "{value}")) as made:
        made.tick()
        made.plant._requests.wait(10)
        assert made.tick().alarms == (
            f"nodes: the request for 2 failed: {sys.executable}: not done within 0.5 s",
        )


def test_a_command_that_does_not_exist_is_refused_for_good():
    knob = {"gauge": "workers", "low": 1, "high": 4, "command": ["/no/such", "{value}"]}
    with controlled(Scripted(action("nodes", 2)), knobs={"nodes": knob}) as made:
        assert made.tick().refusals[0].reason == (
            "/no/such: No such file or directory (there is no folder /no); "
            "make it, or name another program"
        )


def commanded(script: str, argument: str) -> dict[str, object]:
    command = [sys.executable, "-c", script, argument]
    knob = {"gauge": "workers", "low": 1, "high": 4, "delay_s": 1, "command": command}
    return {"knobs": {"nodes": knob}, "timeout_s": 0.5}
