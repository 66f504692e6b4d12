"""Logger and metrics, once; Powertools reads its level and its service's name from the environment.

https://docs.aws.amazon.com/powertools/python/latest/environment_variables/
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

NAMESPACE = "IAM26Remediation"
# What calls a handler without the stack's variables gets the same names.
SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "iam26-remediation")

logger = Logger(service=SERVICE)
metrics = Metrics(namespace=NAMESPACE, service=SERVICE)

__all__ = ["MetricUnit", "correlated", "count_outcome", "flush_metrics", "logger", "metrics"]


@contextmanager
def correlated(event_id: str) -> Iterator[None]:
    """Put the id of an EventBridge event on the lines that this thread logs inside."""
    logger.thread_safe_append_keys(correlation_id=event_id)
    try:
        yield
    finally:
        logger.thread_safe_remove_keys(["correlation_id"])


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
