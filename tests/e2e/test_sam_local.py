"""Every sample event through the built artifact, in Docker or under SAM's runtime emulator."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.artifact.invoke import NAME, Sample, invoke, read_sample, seed_sample
from local.artifact.runtime import (
    INVOKE_SECONDS,
    InDocker,
    OnHost,
    Runtime,
    choose_runtime,
    make_variables,
)
from local.artifact.sam import SamError
from local.artifact.template import PROJECT
from local.aws.knobs import HOME_REGION
from local.aws.server import LocalAws
from models.settings import Mode

EVENTS = PROJECT / "events"
# The one certificate of the sample account is expired and under the path /old/.
OUTCOMES = {
    "custom-action-cis-5.0": ["deleted"],
    "custom-action-foreign-account": ["refused"],
    "custom-action-other-control": ["refused"],
    "custom-action-several-standards": ["deleted", "deleted"],
    "imported-archived": ["refused"],
    "imported-bare-name": ["deleted"],
    "imported-certificate-id": ["already-gone"],
    "imported-cis-3.0": ["deleted"],
    "imported-cis-5.0": ["deleted"],
    "imported-cloudfront-path": ["unverified"],
    "imported-consolidated": ["deleted"],
    "imported-foreign-account": ["refused"],
    "imported-id-in-product-fields": ["deleted"],
    "imported-id-of-another-account": ["unverified"],
    "imported-look-alike-product": ["refused"],
    "imported-notified": ["deleted"],
    "imported-other-control": ["refused"],
    "imported-passed": ["refused"],
    "imported-suppressed": ["refused"],
    "imported-typed-id": ["deleted"],
    "imported-without-path": ["deleted"],
    "sweep": ["deleted", "already-gone"],
}
BATCHES = {"sqs-batch": 0, "sqs-batch-with-a-broken-record": 1}
SWEEPS = {"sweep-function/schedule": {"messages": 1}}


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    """What runs the artifact on this machine, chosen before the local AWS runs."""
    return choose_runtime()


@pytest.fixture(scope="module")
def server(runtime: Runtime) -> Iterator[LocalAws]:
    """The local AWS where the function reaches it."""
    with LocalAws(host=runtime.host) as aws:
        yield aws


def answer_to(runtime: Runtime, server: LocalAws, name: str) -> Any:
    server.reset()
    sample = read_sample(EVENTS / f"{name}.json")
    seed_sample(server, sample)
    return invoke(runtime, sample, server, Mode.ENFORCE).answer


def test_every_event_has_an_expectation() -> None:
    """A new event of the remediation is tried as well; the expiry alarms are another stack."""
    events = set(EVENTS.rglob("*.json")) - set(EVENTS.glob("expiry-alarms-function/*"))
    files = {str(f.relative_to(EVENTS).with_suffix("")) for f in events}
    assert files == OUTCOMES.keys() | BATCHES.keys() | SWEEPS.keys()


@pytest.mark.parametrize("name", OUTCOMES)
def test_event(runtime: Runtime, server: LocalAws, name: str) -> None:
    """A bare event answers the outcome of each of its findings."""
    outcomes = answer_to(runtime, server, name)["outcomes"]

    assert [one["outcome"] for one in outcomes] == OUTCOMES[name]
    left = server.client("iam").list_server_certificates()["ServerCertificateMetadataList"]
    assert bool(left) == ("deleted" not in OUTCOMES[name])


@pytest.mark.parametrize("name", BATCHES)
def test_batch(runtime: Runtime, server: LocalAws, name: str) -> None:
    """A batch answers which of its messages must come again."""
    assert len(answer_to(runtime, server, name)["batchItemFailures"]) == BATCHES[name]


@pytest.mark.parametrize("name", SWEEPS)
def test_sweep(runtime: Runtime, server: LocalAws, name: str) -> None:
    """The sweep puts an open finding on the queue."""
    answer = answer_to(runtime, server, name)

    assert answer["messages"] == SWEEPS[name]["messages"]
    queue = server.client("sqs").get_queue_url(QueueName=NAME)["QueueUrl"]
    [message] = server.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["source"] == "iam26-remediation"


def test_client_of_lambda(runtime: Runtime, server: LocalAws) -> None:
    """A Lambda client gets through `sam local start-lambda` what a deployed function answers."""
    server.reset()
    sample = read_sample(EVENTS / "imported-consolidated.json")
    seed_sample(server, sample)
    variables = make_variables(str(server.endpoint_url), Mode.ENFORCE)

    if isinstance(runtime, OnHost):
        with runtime.serve(sample.function, variables) as url:
            assert_deleted(urllib.request.urlopen(url, sample.path.read_bytes()).read())  # noqa: S310 - loopback
        return
    assert isinstance(runtime, InDocker)
    with runtime.start_lambda(variables) as url:
        client = boto3.client(
            "lambda",
            region_name=HOME_REGION,
            endpoint_url=url,
            config=Config(read_timeout=INVOKE_SECONDS, retries={"total_max_attempts": 1}),
        )
        answer = client.invoke(FunctionName=sample.function, Payload=sample.path.read_bytes())
        assert_deleted(answer["Payload"].read())


def assert_deleted(payload: bytes) -> None:
    """Assert that a function's answer tells of one deletion."""
    assert [one["outcome"] for one in json.loads(payload)["outcomes"]] == ["deleted"]


def test_invoke_says_what_failed(runtime: Runtime, server: LocalAws, tmp_path: Path) -> None:
    """A function that raises fails the invocation, although SAM CLI itself exits with 0."""
    event = tmp_path / "event.json"
    event.write_text('{"detail": "no findings"}')

    with pytest.raises(SamError, match="EventError"):
        invoke(runtime, Sample(event, "RemediateFunction", ()), server, Mode.ENFORCE)
