"""The manifest of a comparison: versions, traces, seeds and configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from controller.load.trace import LoadTrace
from simulators.comparison.request import Comparison
from simulators.comparison.rows import trace_hash


def write_manifest(folder: Path, comparison: Comparison, machine: Mapping[str, Any]) -> None:
    """Write `manifest.json`: versions, trace hashes, seeds, configuration, and the machine."""
    base = asdict(comparison.base)
    for name in ("policy", "trace", "seed", "constants"):
        del base[name]
    base["faults"] = [asdict(fault) for fault in comparison.base.faults.faults]
    manifest = {
        "machine": machine,
        "policies": list(comparison.policies),
        "seeds": list(comparison.seeds),
        "traces": {trace.name: _described(trace) for trace in comparison.traces},
        "configuration": base,
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def _described(trace: LoadTrace) -> dict[str, object]:
    known = [each for each in trace.streams if each is not None]
    return {
        "sha256": trace_hash(trace),
        "samples": len(trace.time_s),
        "gaps": len(trace.time_s) - len(known),
        "duration_s": trace.duration_s,
        "peak": max(known),
    }
