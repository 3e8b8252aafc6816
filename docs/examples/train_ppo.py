"""Train PPO on one part of some traces, and judge it on a part that it has never seen.

    python docs/examples/train_ppo.py [FOLDER_OF_TRACES_OR_GENERATORS] [--seeds 5]

Needs `pip install 'kapellmeister[rl]'`. Each agent is saved as `ppo-SEED.zip` and is a policy:
`kapellmeister simulate --trace diurnal --policy sb3:ppo-1.zip`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from rich.console import Console

from kapellmeister.experiments.compare import find_traces, print_report
from kapellmeister.terminal.progress import progress
from simulators.comparison.comparison import Comparison, compare
from simulators.environments.sb3 import untrained
from simulators.environments.task import Task
from simulators.loads.splits import split
from simulators.simulation import Simulation

STEPS = 50_000
PLANTS = 256
JUDGED_DAYS = 2.0
"""Of the test part of each trace: an agent takes about a millisecond to decide."""


def train(task: Task, seed: int, path: Path) -> None:
    """An agent that has seen `STEPS` control intervals, on `PLANTS` plants at once."""
    agent = untrained(PLANTS, seed, task)
    started_s = time.perf_counter()
    agent.learn(STEPS)
    print(f"seed {seed}: {STEPS} steps in {time.perf_counter() - started_s:.1f} s")
    agent.save(path)


def main() -> None:
    """Train with each seed, then hold all agents against two laws on the test part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("traces", nargs="?", default="diurnal,burst,steps")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path())
    options = parser.parse_args()
    torch.set_num_threads(1)  # more only hinder so small a network
    traces = find_traces(options.traces)
    agents = [options.folder / f"ppo-{seed}.zip" for seed in range(1, options.seeds + 1)]
    for seed, path in enumerate(agents, start=1):
        train(Task(traces), seed, path)
    judged = tuple(split(trace, "test") for trace in traces)
    policies = (*(f"sb3:{path}" for path in agents), "hpa", "target_tracking")
    base = Simulation("hpa", judged[0], peak_streams=1000, last_days=JUDGED_DAYS)
    with progress("judging") as advance:
        figures = compare(Comparison(policies, judged, base), advance)
    print_report(figures, Console())


if __name__ == "__main__":
    main()
