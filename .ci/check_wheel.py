"""Hold an installed wheel to what it promises; run by the interpreter that it was installed in."""

import importlib
import json
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

for name in ("controller", "policies", "simulators", "kapellmeister"):
    package = Path(importlib.import_module(name).__file__ or "").parent
    assert package.is_relative_to(sys.prefix), f"{name} comes from {package}"
    assert (package / "py.typed").is_file(), f"{name} lacks py.typed"
    owners = packages_distributions()[name]
    assert set(owners) == {"kapellmeister"}, f"{name} is claimed by {owners}"

static = (
    Path(importlib.import_module("controller.instruments.dashboard").__file__ or "").parent
    / "static"
)
page = (static / "index.html").read_text(encoding="utf-8")
for name in re.findall(r'(?:href|src)="static/([^"]+)"', page):
    assert (static / name).is_file(), f"the live page lacks {name}"
assert (static / "uPlot.LICENSE").is_file(), "uPlot comes without its licence"

report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
blocks = report["blocks"]
outcomes = ("on_time", "late", "concealed", "lost")
assert blocks["submitted"] == sum(blocks[outcome] for outcome in outcomes) > 0, blocks
print(f"the wheel is whole; {blocks['submitted']} blocks played from it")
