"""Counts and durations of calls, rendered for Prometheus.

What belongs here: adding up finished calls cheaply, and rendering the sums. What does not: exact accounting (the
ledger). The sums are plain integers; the Prometheus client is imported only when the metrics are read.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from antiphon.types import BUCKETS, COUNTS, PICO, UNITS, Outcome, Record

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.2, 1.0)
_OTHER_COUNTS = tuple(name for name in COUNTS if name not in ("input", "output"))
_SERIES_LIMIT = 2_000
"""The largest number of label sets, because callers choose model names; further calls are counted as ``other``."""


class _Histogram:
    __slots__ = ("bounds", "counts", "sum_us")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = tuple(int(bound * 1_000_000) for bound in bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.sum_us = 0

    def observe(self, microseconds: int) -> None:
        self.counts[bisect_left(self.bounds, microseconds)] += 1
        self.sum_us += microseconds

    def list_buckets(self) -> list[tuple[str, float]]:
        names = [str(bound / 1_000_000) for bound in self.bounds] + ["+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))


class _Series:
    """The sums of one operation, model and target."""

    __slots__ = ("cost", "counts", "duration", "errors", "first_output", "outcomes", "overhead", "unpriced")

    def __init__(self) -> None:
        self.outcomes = dict.fromkeys(Outcome, 0)
        self.counts = dict.fromkeys(COUNTS, 0)
        self.errors: dict[tuple[str, str], int] = {}
        self.cost = 0
        self.unpriced = 0
        self.duration = _Histogram(_SECONDS)
        self.first_output = _Histogram(_SECONDS)
        self.overhead = _Histogram(_OVERHEAD)

    def add(self, record: Record) -> None:
        """Add a record. Every call does this, so the common case is the fast one."""
        duration, cost, usage = record.duration_us, record.cost, record.usage
        self.outcomes[record.outcome] += 1
        self.duration.observe(duration)
        if (first_output := record.first_output_us) is not None:
            self.first_output.observe(first_output)
        upstream = 0
        for attempt in record.attempts:
            upstream += attempt.duration_us
            if error := attempt.error:
                key = (attempt.target.partition("/")[0], error)
                self.errors[key] = self.errors.get(key, 0) + 1
        if not record.stream:
            self.overhead.observe(duration - upstream if duration > upstream else 0)
        if cost is None:
            self.unpriced += 1
        else:
            self.cost += cost
        if usage is not None:
            counts = self.counts
            counts["input"] += usage.input
            counts["output"] += usage.output
            if usage.other_bits:
                for name in _OTHER_COUNTS:
                    counts[name] += getattr(usage, name)


class Telemetry:
    """The sums of one runtime; ``gauges`` are read when they are rendered."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str], _Series] = {}
        self.in_flight = 0
        self.journal_errors = 0
        self.refused: dict[str, int] = {}
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def observe(self, record: Record) -> None:
        """Add a finished call."""
        key = (record.operation, record.model, record.target)
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= _SERIES_LIMIT:
                key = (record.operation, "other", "other")
            series = self._series.setdefault(key, _Series())
        series.add(record)

    def refuse(self, code: str) -> None:
        """Count a request that was refused before it became a call; ``code`` is the code of the error."""
        self.refused[code] = self.refused.get(code, 0) + 1

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

        registry = CollectorRegistry()
        registry.register(_Collector(self))
        ProcessCollector(registry=registry)
        return generate_latest(registry)


class _Collector:
    """Returns the sums as metric families; see :meth:`prometheus_client.registry.Collector.collect`."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def collect(self) -> "Iterator[Metric]":
        yield from self._collect_calls()
        yield from self._collect_durations()
        yield from self._collect_process()

    def _collect_calls(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily as Counter

        labels = ["operation", "model", "target"]
        calls = Counter("antiphon_calls", "Calls that ended, by outcome.", labels=[*labels, "outcome"])
        tokens = Counter("antiphon_tokens", "Tokens, by disjoint bucket.", labels=[*labels, "type"])
        units = Counter("antiphon_units", "Billed units other than tokens.", labels=[*labels, "unit"])
        cost = Counter("antiphon_cost_dollars", "Cost of calls with a known price.", labels=labels)
        unpriced = Counter("antiphon_calls_unpriced", "Calls whose price is unknown.", labels=labels)
        errors = Counter("antiphon_attempt_errors", "Attempts that failed.", labels=["provider", "error_type"])
        failed: dict[tuple[str, str], int] = {}
        for key, series in list(self._telemetry._series.items()):
            for outcome, count in series.outcomes.items():
                calls.add_metric([*key, outcome.value], count)
            for family, names in ((tokens, BUCKETS), (units, UNITS)):
                for name in names:
                    if series.counts[name]:
                        family.add_metric([*key, name], series.counts[name])
            cost.add_metric(list(key), series.cost / PICO)
            unpriced.add_metric(list(key), series.unpriced)
            for error, count in series.errors.items():
                failed[error] = failed.get(error, 0) + count
        for error, count in failed.items():
            errors.add_metric(list(error), count)
        refused = Counter("antiphon_requests_refused", "Requests refused before a call.", labels=["code"])
        for code, count in self._telemetry.refused.items():
            refused.add_metric([code], count)
        yield from (calls, tokens, units, cost, unpriced, errors, refused)

    def _collect_durations(self) -> "Iterator[Metric]":
        from prometheus_client.core import HistogramMetricFamily

        texts = {
            "duration": ("antiphon_call_duration_seconds", "From the request to the last byte."),
            "first_output": ("antiphon_first_output_seconds", "From the request to the first output."),
            "overhead": ("antiphon_overhead_seconds", "Time of whole answers spent in Antiphon itself."),
        }
        for attribute, (name, text) in texts.items():
            family = HistogramMetricFamily(name, text, labels=["operation", "model", "target"])
            for key, series in list(self._telemetry._series.items()):
                histogram: Any = getattr(series, attribute)
                family.add_metric(list(key), buckets=histogram.list_buckets(), sum_value=histogram.sum_us / 1_000_000)
            yield family

    def _collect_process(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        telemetry = self._telemetry
        yield GaugeMetricFamily("antiphon_calls_in_flight", "Calls being answered now.", value=telemetry.in_flight)
        text = "Records that could not be journaled."
        yield CounterMetricFamily("antiphon_journal_errors", text, value=telemetry.journal_errors)
        for name, (text, read) in telemetry.gauges.items():
            yield GaugeMetricFamily(name, text, value=read())
