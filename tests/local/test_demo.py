"""The demo: every outcome is the expected one, and it says so when one is not."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from local import demo
from local.aws.server import Aws
from local.demo import UNSEEN, Demo, Exhibit, Seen
from local.fixtures import seed
from local.fixtures.findings import make_raw_finding
from models.outcome import Outcome


@pytest.fixture
def screen() -> Console:
    """What the demo prints on."""
    return Console(file=io.StringIO(), width=200)


def read(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_every_outcome_is_the_expected_one(screen: Console) -> None:
    """The demo runs to its end, shows every scene, and ends with status 0."""
    assert demo.run_demo(screen) == 0
    printed = read(screen)
    assert "Every outcome was the expected one." in printed
    stories = [story for _, story, _ in demo.references()]
    scenes = (
        "expired and unused, under a path",
        "tagged iam26:keep",
        "expired 3 days ago",
        "renewed: valid again",
        "deleted by hand meanwhile",
        "two CIS findings",
        "finding suppressed",
        "button pressed on control S3.8",
        "eu-central-1 denied",
        "redelivered",
        "acm-imported-api-example-com-expiry-",
        "acm-issued-www-example-com-expiry-",
        "A second run writes nothing: 5 unchanged.",
    )
    missing = [scene for scene in (*stories, *scenes) if scene not in printed]
    assert missing == []
    shown = {outcome.value for outcome in Outcome if outcome.value in printed}
    assert shown == {outcome.value for outcome in Outcome}


class TestSurprises:
    """What is not as expected ends the demo with another status."""

    @pytest.fixture
    def show(self, aws: Aws, screen: Console) -> Demo:
        """A demo that has shown nothing so far."""
        return Demo(aws, screen)

    @pytest.fixture
    def exhibit(self, aws: Aws) -> Exhibit:
        """A certificate that is deleted, and its finding, which says so."""
        certificate = seed.plant_certificate("web", expires=datetime.now(UTC))
        finding = make_raw_finding(certificate["Arn"], workflow_status="RESOLVED")
        aws.import_findings([finding])
        aws.client("iam").delete_server_certificate(ServerCertificateName="web")
        return Exhibit("unused", "web", [finding], Outcome.DELETED)

    def tell(self, show: Demo, exhibit: Exhibit, seen: Seen = UNSEEN) -> int:
        """Show what was seen of the finding, and return the exit status."""
        seen_by_id: dict[str, Any] = {exhibit.findings[0]["Id"]: seen}
        demo.show_decisions(show, [exhibit], {} if seen is UNSEEN else seen_by_id, "Enforce")
        return demo.tell_result(show, 1)

    def test_without_a_surprise_the_status_is_0(self, show: Demo, exhibit: Exhibit) -> None:
        """Outcome, finding and certificate are as expected."""
        assert self.tell(show, exhibit, Seen(Outcome.DELETED, "…")) == 0

    def test_another_outcome_is_a_surprise(self, show: Demo, exhibit: Exhibit) -> None:
        """The surprise is named."""
        assert self.tell(show, exhibit, Seen(Outcome.IN_USE, "…")) == 1
        assert "web (unused): expected deleted, got in-use" in read(show.console)

    def test_no_outcome_is_a_surprise(self, show: Demo, exhibit: Exhibit) -> None:
        """A finding that the handler did not speak of is no crash of the demo."""
        assert self.tell(show, exhibit) == 1
        assert "web (unused): expected deleted, got None" in read(show.console)

    def test_another_status_of_the_finding_is_a_surprise(
        self, aws: Aws, show: Demo, exhibit: Exhibit
    ) -> None:
        """The finding has to show the outcome as well."""
        aws.import_findings([exhibit.findings[0] | {"Workflow": {"Status": "NEW"}}])
        assert self.tell(show, exhibit, Seen(Outcome.DELETED, "…")) == 1
        assert "expected RESOLVED, got NEW" in read(show.console)

    def test_a_certificate_that_is_still_there_is_a_surprise(
        self, show: Demo, exhibit: Exhibit
    ) -> None:
        """What was said to be deleted has to be gone."""
        seed.plant_certificate("web")
        assert self.tell(show, exhibit, Seen(Outcome.DELETED, "…")) == 1
        assert "left in IAM after its delete" in read(show.console)

    def test_a_certificate_without_its_alarm_is_a_surprise(self, show: Demo) -> None:
        """Every certificate in ACM has to be watched, and nothing else."""
        demo.show_alarms(show, {"forgotten": 20})
        assert demo.tell_result(show, 1) == 1
        assert "certificates with an alarm: expected ['forgotten'], got []" in read(show.console)
