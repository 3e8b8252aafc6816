"""Readings of a plant that plays on a GPU."""

from __future__ import annotations

from policies.observation import Missing, Reading, Stale, Value

MIB = 2.0**20
GPU: dict[str, Reading] = {
    "gpu.arena_bytes": Value(4096 * MIB),
    "gpu.arena_used_bytes": Value(2560 * MIB),
    "gpu.arena_largest_free_bytes": Value(1024 * MIB),
    "gpu.owner_audio_bytes": Value(1024 * MIB),
    "gpu.owner_analysis_bytes": Value(512 * MIB),
    "gpu.owner_visualisation_bytes": Value(256 * MIB),
    "gpu.owner_cache_bytes": Value(640 * MIB),
    "gpu.owner_workspace_bytes": Value(128 * MIB),
    "gpu.fragmentation_share": Value(0.008),
    "gpu.allocation_wait_us": Value(6.5),
    "gpu.in_bytes_per_s": Value(750 * MIB),
    "gpu.transfer_in_ms": Value(0.084),
    "gpu.compute_ms": Value(0.21),
    "gpu.transfer_out_ms": Value(0.031),
    "gpu.busy_share": Value(0.061),
    "gpu.streams": Value(900.0),
    "gpu.streams_on_cpu": Value(12.0),
    "gpu.streams_yielded": Value(3.0),
    "gpu.utilisation": Value(0.07),
    "gpu.sm_clock_mhz": Value(1410.0),
    "gpu.sm_clock_share": Value(0.712),
    "gpu.throttled": Value(1.0),
    "gpu.power_w": Missing("NVML: Not Supported"),
    "gpu.temperature_c": Stale(61.0, 4.0),
}
