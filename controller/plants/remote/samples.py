"""A page of metrics as samples by name, whichever of the two formats it has."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from controller.config.selector import Labels, Samples
from controller.plants.remote.http import plain_line

OPENMETRICS = "application/openmetrics-text"


def read_samples(text: str, content_type: str) -> Samples:
    """All samples of a page of metrics. Raises ValueError for what is no such page."""
    openly = content_type.startswith(OPENMETRICS)
    parse = openmetrics.text_string_to_metric_families if openly else text_string_to_metric_families
    try:
        return _by_name(parse(text))
    except Exception as error:  # it fails in many ways on what it does not expect
        told = plain_line(str(error)) or type(error).__name__  # it quotes what the service sent
        raise ValueError(f"no metrics: {told}") from error


def _by_name(families: Iterable[Metric]) -> Samples:
    samples: dict[str, dict[Labels, float]] = {}
    for family in families:
        for each in family.samples:
            samples.setdefault(each.name, {})[frozenset(each.labels.items())] = float(each.value)
    return samples
