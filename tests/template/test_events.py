"""The sample events: each can be passed to its function as it is."""

import json
from pathlib import Path

import pytest

from models.events import parse_batch, parse_event, parse_findings, parse_record
from models.finding import Finding
from tests.template import samples

OTHER_FILES = sorted(samples.EVENTS.glob("*-function/*.json"))


@pytest.mark.parametrize("file", samples.FILES, ids=lambda file: file.stem)
def test_the_function_understands_each_sample(file: Path) -> None:
    """Each sample is an event that this application knows, or a batch of such events."""
    content = json.loads(file.read_text())

    for event in samples.list_events(file):
        assert all(isinstance(one, Finding) for one in parse_findings(parse_event(event)))
    if "Records" in content:
        assert len(parse_batch(content).records) == len(content["Records"])


def test_a_batch_is_parsed_as_the_queue_delivers_it() -> None:
    """The records of the sample batch can be parsed one by one, and each has its own id."""
    records = parse_batch(samples.read("sqs-batch")).records

    assert {parse_record(record).source for record in records} == {
        "aws.securityhub",
        "iam26-remediation",
    }
    assert len({record.message_id for record in records}) == len(records)


def test_samples_share_a_finding_only_on_purpose() -> None:
    """Trying one sample by hand does not make another one a duplicate."""
    single = [file for file in samples.FILES if not file.stem.startswith("sqs-batch")]
    ids = [
        finding["Id"]
        for file in single
        for event in samples.list_events(file)
        for finding in event["detail"]["findings"]
    ]
    # The same finding, of another control, arrives by both entry points.
    assert sorted({one for one in ids if ids.count(one) > 1}) == [
        finding["Id"] for finding in samples.read("imported-other-control")["detail"]["findings"]
    ]


def test_every_sample_is_documented() -> None:
    """The table of samples names each of them, and nothing else."""
    listed = {
        line.split("`")[1]
        for line in (samples.EVENTS / "README.md").read_text().splitlines()
        if line.startswith("| `")
    }
    files = [*samples.FILES, *OTHER_FILES]

    assert listed == {str(file.relative_to(samples.EVENTS)) for file in files}
