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

from local.artifact import sam
from local.artifact.image import has_docker
from local.artifact.invoke import PORT, invoke, seed_samples
from local.artifact.template import PROJECT
from local.aws.endpoints import DOCKER_BRIDGE
from local.aws.knobs import HOME_REGION
from local.aws.server import LocalAws

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
def server() -> Iterator[LocalAws]:
    """The local AWS where the environment file says it is."""
    with LocalAws(host=DOCKER_BRIDGE if has_docker() else "127.0.0.1", port=PORT) as aws:
        yield aws


def answer_to(server: LocalAws, name: str) -> Any:
    server.reset()
    event = EVENTS / f"{name}.json"
    seed_samples(server, event)
    return invoke(event, server)


def test_every_event_has_an_expectation() -> None:
    """A new file in events/ is tried as well."""
    files = {str(f.relative_to(EVENTS).with_suffix("")) for f in EVENTS.rglob("*.json")}
    assert files == OUTCOMES.keys() | BATCHES.keys() | SWEEPS.keys()


@pytest.mark.parametrize("name", OUTCOMES)
def test_event(server: LocalAws, name: str) -> None:
    """A bare event answers the outcome of each of its findings."""
    outcomes = answer_to(server, name)["outcomes"]

    assert [one["outcome"] for one in outcomes] == OUTCOMES[name]
    left = server.client("iam").list_server_certificates()["ServerCertificateMetadataList"]
    assert bool(left) == ("deleted" not in OUTCOMES[name])


@pytest.mark.parametrize("name", BATCHES)
def test_batch(server: LocalAws, name: str) -> None:
    """A batch answers which of its messages must come again."""
    assert len(answer_to(server, name)["batchItemFailures"]) == BATCHES[name]


@pytest.mark.parametrize("name", SWEEPS)
def test_sweep(server: LocalAws, name: str) -> None:
    """The sweep puts an open finding on the queue."""
    server.reset()
    seed_samples(server, EVENTS / "imported-consolidated.json")

    answer = invoke(EVENTS / f"{name}.json", server)

    assert answer["messages"] == SWEEPS[name]["messages"]
    queue = server.client("sqs").get_queue_url(QueueName="iam26-remediation")["QueueUrl"]
    [message] = server.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["source"] == "iam26-remediation"


def test_client_of_lambda(server: LocalAws) -> None:
    """A Lambda client gets through `sam local start-lambda` what a deployed function answers."""
    server.reset()
    event = EVENTS / "imported-consolidated.json"
    seed_samples(server, event)

    if not has_docker():
        variables = sam.read_variables() | {"AWS_ENDPOINT_URL": str(server.endpoint_url)}
        with sam.serve_on_host("RemediateFunction", variables) as url:
            assert_deleted(urllib.request.urlopen(url, event.read_bytes()).read())  # noqa: S310 - loopback
        return
    with sam.start_lambda(str(server.endpoint_url)) as url:
        client = boto3.client(
            "lambda",
            region_name=HOME_REGION,
            endpoint_url=url,
            config=Config(read_timeout=sam.INVOKE_SECONDS, retries={"total_max_attempts": 1}),
        )
        answer = client.invoke(FunctionName="RemediateFunction", Payload=event.read_bytes())
        assert_deleted(answer["Payload"].read())


def assert_deleted(payload: bytes) -> None:
    """Assert that a function's answer tells of one deletion."""
    assert [one["outcome"] for one in json.loads(payload)["outcomes"]] == ["deleted"]


def test_invoke_says_what_failed(server: LocalAws, tmp_path: Path) -> None:
    """A function that raises fails the invocation, although SAM CLI itself exits with 0."""
    event = tmp_path / "event.json"
    event.write_text('{"detail": "no findings"}')

    with pytest.raises(sam.SamError, match="EventError"):
        invoke(event, server)
