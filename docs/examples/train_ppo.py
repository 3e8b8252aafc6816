"""Train PPO on one part of some traces, and judge it on a part that it has never seen.

    python docs/examples/train_ppo.py [FOLDER_OF_TRACES_OR_GENERATORS] [--seeds 5]

Needs `pip install 'kapellmeister[rl]'`. Each agent is saved as `ppo-SEED.zip` and is a policy:
`kapellmeister simulate --trace diurnal --policy sb3:ppo-1.zip`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import torch

from kapellmeister import TrainingTask, find_traces, untrained

STEPS = 50_000
PLANTS = 256
PEAK_STREAMS = 1000
JUDGED_DAYS = 2.0
"""Days of the test part of each trace: an agent takes about a millisecond to decide."""


def train(task: TrainingTask, seed: int, path: Path) -> None:
    """Save an agent that has seen `STEPS` control intervals, on `PLANTS` plants at once."""
    agent = untrained(PLANTS, seed, task)
    started_s = time.perf_counter()
    agent.learn(STEPS)
    print(f"seed {seed}: {STEPS} steps in {time.perf_counter() - started_s:.1f} s")
    agent.save(path)


def judge(traces: str, policies: list[str]) -> None:
    """Hold the policies against each other on the test part of the traces."""
    command = [sys.executable, "-m", "kapellmeister", "compare", "--part", "test"]
    command += ["--traces", traces, "--policies", ",".join(policies)]
    command += ["--peak-streams", str(PEAK_STREAMS), "--days", str(JUDGED_DAYS)]
    subprocess.run(command, check=True)


def main() -> None:
    """Train with each seed, then hold all agents against two laws."""
    parser = argparse.ArgumentParser()
    parser.add_argument("traces", nargs="?", default="diurnal,burst,steps")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path())
    options = parser.parse_args()
    torch.set_num_threads(1)  # more only hinder so small a network
    task = TrainingTask(find_traces(options.traces), peak_streams=PEAK_STREAMS)
    agents = [options.folder / f"ppo-{seed}.zip" for seed in range(1, options.seeds + 1)]
    for seed, path in enumerate(agents, start=1):
        train(task, seed, path)
    judge(options.traces, ["hpa", "target_tracking", *(f"sb3:{path}" for path in agents)])


if __name__ == "__main__":
    main()
