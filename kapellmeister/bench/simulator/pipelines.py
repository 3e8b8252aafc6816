"""Pipelines that are measured."""

from __future__ import annotations

from policies.latency import Calibration, Link, Post, Transfer

FOUR_STAGES = Calibration(transfer=Transfer(), post=Post(), link=Link())
PIPELINES = {"batch server": Calibration(), "four stages": FOUR_STAGES}
