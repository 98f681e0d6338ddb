"""Count the requests that the bridge makes to Synapse, from its own metrics."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.support.backend import Backend

_NOT_WORK = {"versions", "ping", "module_stream", "module_events", "module_receipts"}
"""The readiness probe, and the eye that the bridge keeps on Synapse."""


async def matrix_calls(backend: Backend) -> int:
    """Return how many requests the bridge has made to Synapse so far."""
    async with backend.http.get(metrics_url(backend)) as response:
        text = await response.text()
    return int(
        sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "bitnexus_matrix_requests_total" and sample.labels["act"] not in _NOT_WORK
        )
    )


def metrics_url(backend: Backend) -> str:
    """Return where /metrics is: the demo's ports stand in a row, metrics two above the bridge's."""
    scheme, _, port = backend.stack["bridge_url"].rpartition(":")
    return f"{scheme}:{int(port) + 2}/metrics"


def config_of(backend: Backend) -> Path:
    """Return the bridge's config.yaml."""
    return Path(backend.stack["directory"]) / "config.yaml"
