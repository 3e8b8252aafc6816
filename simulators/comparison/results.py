"""The results of finished jobs, kept in a file so that an interrupted comparison goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from simulators.comparison.figures import JobFigures, OracleJob
from simulators.comparison.jobs import Finished, Job
from simulators.comparison.rows import is_written, write_rows


@dataclass(slots=True)
class Results:
    """Results by the key of their job; `path` is a file with a line for each, or None."""

    path: Path | None
    jobs: dict[str, JobFigures] = field(default_factory=dict)
    oracles: dict[str, OracleJob] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | None, wanted: frozenset[str]) -> Self:
        """Read what an earlier run finished of the `wanted` keys; a line cut off is done again."""
        results = cls(path)
        if path is None or not path.exists():
            return results
        text = path.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            try:
                results._take(json.loads(line), wanted)
            except (ValueError, KeyError, TypeError):
                continue
        if text and not text.endswith("\n"):
            results._append("")
        return results

    def has(self, job: Job) -> bool:
        """Whether the job is done, and its rows are there as far as it has any.

        One that failed is tried again: the machine may have been the reason.
        """
        played = self.jobs.get(job.key)
        if played is not None and played.error is not None:
            return False
        known = played is not None or job.key in self.oracles
        return known and (job.rows is None or is_written(job.rows, job.key))

    def add(self, job: Job, finished: Finished) -> None:
        """Keep the rows and the figures of one job, at once."""
        key, figures = job.key, finished.figures
        if job.rows is not None and finished.rows is not None:
            write_rows(job.rows, finished.rows)
        if isinstance(figures, JobFigures):
            self.jobs[key] = figures
            kind = "job"
        else:
            self.oracles[key] = figures
            kind = "oracle"
        self._append(json.dumps({"key": key, kind: figures.model_dump()}))

    def _take(self, entry: dict[str, Any], wanted: frozenset[str]) -> None:
        key = entry["key"]
        if key not in wanted:
            return
        if "job" in entry:
            self.jobs[key] = JobFigures.model_validate(entry["job"])
        else:
            self.oracles[key] = OracleJob.model_validate(entry["oracle"])

    def _append(self, line: str) -> None:
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
