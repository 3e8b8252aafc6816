"""The whole of `bench workloads`."""

from __future__ import annotations

from controller.sensors.cpu import MachineSensor
from kapellmeister.bench.workloads.costs import cost_of_each
from kapellmeister.bench.workloads.figures import WorkloadsReport
from kapellmeister.bench.workloads.inputs import PERIOD_FRAMES, SAMPLE_RATE_HZ
from kapellmeister.bench.workloads.peers import PEER_STREAMS, PEER_TAPS, compare_with_peers
from kapellmeister.machine.description import describe_machine
from policies.observation import fresh


def bench_workloads(rounds: int = 7, slice_s: float = 0.15) -> WorkloadsReport:
    """Compare with the peers (64 streams, 2048 taps), then time each workload on 256 streams.

    In each of the `rounds` all take a turn of at least `slice_s`, so that a disturbance of the
    machine falls on all alike. The outputs are compared before anything is timed.
    """
    sensor = MachineSensor()
    sensor.read()
    ours, peers = compare_with_peers(rounds, slice_s)
    costs = cost_of_each(rounds, slice_s)
    return WorkloadsReport(
        machine=describe_machine(),
        steal_share=fresh(sensor.read()["cpu.steal_share"]),
        rounds=rounds,
        sample_rate_hz=SAMPLE_RATE_HZ,
        period_frames=PERIOD_FRAMES,
        streams=PEER_STREAMS,
        taps=PEER_TAPS,
        ours_us=ours,
        peers=peers,
        costs=costs,
    )
