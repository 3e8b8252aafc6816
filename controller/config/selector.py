"""Names samples among the metrics of a service, as PromQL does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Samples = Mapping[str, Mapping[Labels, float]]
"""Values by the name of the metric and then by the labels of the sample."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric by name, and the labels that a sample of it has at least."""

    name: str
    labels: Labels = frozenset()

    @classmethod
    def of(cls, text: str) -> Selector:
        """The selector that `name{label="value"}` stands for. Raises ValueError in one line."""
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
