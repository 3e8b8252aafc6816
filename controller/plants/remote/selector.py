"""Names samples among the metrics of a service, as PromQL does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from controller.plants.remote.http import plain_line

Labels = frozenset[tuple[str, str]]
Samples = Mapping[str, Mapping[Labels, float]]
"""Values by the name of the metric and then by the labels of the sample."""
OPENMETRICS = "application/openmetrics-text"


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric by name, and the labels that a sample of it has at least."""

    name: str
    labels: Labels = frozenset()

    @classmethod
    def of(cls, text: str) -> Selector:
        """What `name{label="value"}` names. Raises ValueError in one line."""
        try:
            families = [*text_string_to_metric_families(f"{text} 0\n")]
        except Exception:  # noqa: BLE001 - it fails in many ways on what it does not expect
            families = []
        samples = [each for family in families for each in family.samples]
        plain = len(samples) == 1 and samples[0].timestamp is None and samples[0].value == 0.0
        if not plain or not samples[0].name:
            raise ValueError('not a metric, such as name or name{label="value"}')
        return cls(samples[0].name, frozenset(samples[0].labels.items()))

    def among(self, samples: Samples, suffix: str = "") -> Mapping[Labels, float]:
        """The samples that are meant; a counter may have its suffix `_total` or lack it."""
        name = self.name + suffix
        found = samples.get(name) or samples.get(f"{name}_total") or {}
        return {labels: value for labels, value in found.items() if self.labels <= labels}


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
