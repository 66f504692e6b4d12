"""Logger and metrics, once."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

NAMESPACE = "IAM26Remediation"
SERVICE = "iam26-remediation"

logger = Logger(service=SERVICE)
metrics = Metrics(namespace=NAMESPACE, service=SERVICE)

__all__ = ["MetricUnit", "count_outcome", "flush_metrics", "logger", "metrics"]


def count_outcome(outcome: str, findings: int) -> None:
    """Emit how many findings came to an outcome; `outcome` is a dimension of its own."""
    with single_metric(
        name="Findings", unit=MetricUnit.Count, value=findings, namespace=NAMESPACE
    ) as metric:
        metric.add_dimension("service", SERVICE)
        metric.add_dimension("outcome", outcome)


def flush_metrics() -> None:
    """Emit the metrics of an invocation, if it had any."""
    if metrics.metric_set:
        metrics.flush_metrics()
