from __future__ import annotations

from kapellmeister.terminal.gpu_words import gpu_lines
from kapellmeister.terminal.words import size
from policies.observation import Missing, Reading, Stale, Value


def lines(**readings: Reading) -> dict[str, str]:
    return dict(gpu_lines({f"gpu.{name}": each for name, each in readings.items()}))


def test_a_plant_without_a_gpu_has_no_line() -> None:
    assert lines() == {}


def test_without_an_arena_the_memory_is_that_of_the_whole_device() -> None:
    found = lines(memory_total_bytes=Value(2.0**37), memory_used_bytes=Value(2.0**33))
    assert found == {"gpu memory": "8 GiB of 128 GiB"}


def test_an_owner_of_nothing_is_not_named() -> None:
    found = lines(
        arena_bytes=Value(2.0**30),
        arena_used_bytes=Value(2.0**20),
        owner_audio_bytes=Value(2.0**20),
        owner_cache_bytes=Value(0.0),
    )
    assert found == {"gpu memory": "1 MiB of 1 GiB: audio 1 MiB"}


def test_where_clock_and_temperature_are_not_told_the_reason_is() -> None:
    why = Missing("NVML's bindings are not installed")
    found = lines(busy_share=Value(0.061), sm_clock_mhz=why, temperature_c=why)
    assert found == {"gpu": "6.1% busy, no clock: NVML's bindings are not installed"}


def test_a_figure_that_is_not_known_is_left_out_and_an_old_one_says_so() -> None:
    found = lines(
        busy_share=Missing("no batch yet"), sm_clock_mhz=Value(1980.0), temperature_c=Stale(61.0, 9)
    )
    assert found == {"gpu": "1980 MHz, 61 °C (9 s ago)"}


def test_streams_that_are_all_on_the_gpu_are_told_so_in_few_words() -> None:
    all_there = {"streams_on_cpu": Value(0.0), "streams_yielded": Value(0.0)}
    assert lines(streams=Value(4096.0), **all_there) == {"gpu streams": "4096 on the GPU"}


def test_a_size_is_told_in_the_unit_that_keeps_it_short() -> None:
    assert [size(each) for each in (0.0, 999.0, 1000.0, 2.0**20, 1.5 * 2**30)] == [
        "0 B",
        "999 B",
        "0.977 KiB",
        "1 MiB",
        "1.5 GiB",
    ]
