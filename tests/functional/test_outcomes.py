"""The outcome table of the contract, row by row, through the real handler."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from local.aws import faults
from local.aws.knobs import DEFAULT_REGIONS, OWN_ACCOUNT
from local.aws.server import Aws
from local.fixtures import seed
from local.fixtures.certificates import make_certificate
from models.expiry import MOVE_TO_ACM
from tests.builders import MEMBER_ACCOUNT, OTHER_ACCOUNT, read_sample_event
from tests.functional.deployment import BUCKET, Deployment, Event, arn_of, finding_of
from tests.functional.holders import ATTACHMENTS

Metadata = dict[str, Any]

# What a note calls each holder that `attach` makes.
HOLDERS = {
    "classic": "Classic Load Balancer shop:443 in eu-west-1",
    "alb": "Load balancer listener shop:443 in eu-west-1",
    "nlb": "Load balancer listener shop:443 in eu-west-1",
    "sni": "Load balancer listener shop:443 in eu-west-1",
    "cloudfront": "CloudFront distribution ",
    "cloudfront-twin": "CloudFront distribution ",
    "appsync": "AppSync custom domain shop.example.com in eu-west-1",
    "environment": "Elastic Beanstalk environment shop-env in eu-west-1",
    "classic-environment": "Elastic Beanstalk environment shop-env in eu-west-1",
    "saved": "Elastic Beanstalk saved configuration shop-app/shop-saved in eu-west-1",
}


def attach(deployment: Deployment, kind: str, one: Metadata, name: str = "shop") -> None:
    """Let something in another Region use a certificate."""
    ATTACHMENTS[kind](deployment.aws.client, name, "eu-west-1", one)


def without_time(fields: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name != "iam26CheckedAt"}


# Each entry point's envelope of an Imported event's finding.
ENVELOPES: dict[str, Callable[[Event], Event]] = {
    "imported": lambda event: event,
    "button": lambda event: seed.custom_action_event(finding_of(event)),
    "sweep": lambda event: event | {"source": "iam26-remediation", "detail-type": "IAM.26 Sweep"},
}


class TestEntryPoints:
    """Whichever way a finding comes in, its path is the same."""

    @pytest.mark.parametrize(
        ("entry_point", "status"),
        [
            ("imported", "NEW"),
            ("sweep", "NEW"),
            ("button", "NEW"),
            ("button", "NOTIFIED"),
            ("button", "RESOLVED"),
        ],
    )
    def test_every_entry_point(self, deployment: Deployment, entry_point: str, status: str) -> None:
        """A finding, a pressed button and the sweep end in the same delete."""
        certificate = deployment.upload("old-web")
        event = deployment.report(certificate["Arn"], workflow_status=status)

        assert deployment.handle_batch(ENVELOPES[entry_point](event)) == []

        assert deployment.certificates() == set()
        assert deployment.status(event) == "RESOLVED"

    @pytest.mark.parametrize("status", ["NOTIFIED", "RESOLVED"])
    @pytest.mark.parametrize("entry_point", ["imported", "sweep"])
    def test_taken_while_it_waited(
        self, deployment: Deployment, entry_point: str, status: str
    ) -> None:
        """What somebody else took or closed is left as it is, queued or bare."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        deployment.edit_finding(event, Workflow={"Status": status})
        before = deployment.finding(event)

        assert deployment.handle_batch(ENVELOPES[entry_point](event)) == []
        outcome = deployment.handle_one(ENVELOPES[entry_point](event))

        assert (outcome["outcome"], outcome["workflowStatus"]) == ("refused", status)
        assert deployment.finding(event) == before
        assert deployment.certificates() == {"old-web"}
        assert deployment.messages() == []

    @pytest.mark.parametrize("entry_point", ["imported", "sweep"])
    def test_ours_is_redelivered(self, deployment: Deployment, entry_point: str) -> None:
        """A finding that we set to NOTIFIED ourselves is worked on again."""
        deployment.configure(MODE="DryRun")
        event = deployment.report(deployment.upload("old-web")["Arn"])
        assert deployment.handle_one(event)["outcome"] == "would-delete"
        deployment.configure(MODE="Enforce")

        assert deployment.handle_batch(ENVELOPES[entry_point](event)) == []

        assert deployment.certificates() == set()
        assert deployment.status(event) == "RESOLVED"

    @pytest.mark.parametrize("sample", ["imported-consolidated", "custom-action-cis-5.0"])
    def test_sample_events(self, deployment: Deployment, sample: str) -> None:
        """The events that ship with the project can be tried as they are, and delete nothing."""
        deployment.upload("example-cert", path="/old/")
        enforced = deployment.handle_one(read_sample_event(sample))
        deployment.configure(MODE="DryRun")
        tried = deployment.handle_one(read_sample_event(sample))

        assert (enforced["outcome"], tried["outcome"]) == ("unverified", "would-delete")
        assert deployment.certificates() == {"example-cert"}

    def test_region_of_the_event(self, deployment: Deployment) -> None:
        """Security Hub is asked and told in the function's own Region, whatever the event says."""
        event = deployment.report(deployment.upload("old-web")["Arn"])

        with faults.record_calls() as calls:
            assert deployment.handle_batch(event | {"region": "eu-west-1"}) == []

        asked = [call for call in calls if call.service == "securityhub"]
        assert [(call.operation, call.region) for call in asked] == [
            ("GetFindings", "us-east-1"),
            ("GetFindings", "us-east-1"),  # what is suppressed
            ("BatchUpdateFindings", "us-east-1"),
        ]
        assert deployment.status(event) == "RESOLVED"

    def test_invented_id(self, deployment: Deployment) -> None:
        """An event with an id that Security Hub does not have gets round no suppressed finding."""
        event = deployment.report(deployment.upload("old-web")["Arn"], workflow_status="SUPPRESSED")
        invented = finding_of(event) | {"Id": "invented", "Workflow": {"Status": "NEW"}}
        forged = event | {"detail": {"findings": [invented]}}

        assert deployment.handle_batch(forged) == [0]
        assert deployment.handle_one(forged)["outcome"] == "unverified"

        assert deployment.certificates() == {"old-web"}

    def test_button_on_another_control(self, deployment: Deployment) -> None:
        """The button can be pressed on a finding of any control, and then does nothing."""
        compliance = {"Status": "FAILED", "SecurityControlId": "ELB.2"}
        event = deployment.report(deployment.upload("old-web")["Arn"], Compliance=compliance)

        outcome = deployment.handle_one(ENVELOPES["button"](event))

        assert (outcome["outcome"], outcome["workflowStatus"]) == ("refused", "NEW")
        assert "control ELB.2" in outcome["reason"]
        assert deployment.certificates() == {"old-web"}


class TestDeleted:
    """Proven expired and unreferenced."""

    @pytest.mark.parametrize("standard", ["consolidated", "cis-3.0", "cis-5.0"])
    def test_clean_candidate_goes(self, deployment: Deployment, standard: Any) -> None:
        """An expired, unused certificate is deleted, whichever style its finding has."""
        certificate = deployment.upload("old-web", path="/team/a/")
        event = deployment.report(certificate["Arn"], standard=standard)

        outcome = deployment.handle_one(event)

        assert deployment.certificates() == set()
        assert outcome == {
            "findingId": finding_of(event)["Id"],
            "accountId": OWN_ACCOUNT,
            "certificate": certificate["Arn"],
            "outcome": "deleted",
            "reason": deployment.note(event),
            "references": [],
            "workflowStatus": "RESOLVED",
        }
        assert deployment.status(event) == "RESOLVED"

    @pytest.mark.parametrize(
        "name_it",
        [
            lambda one: one["Arn"],
            lambda one: arn_of(one["ServerCertificateName"]),
            lambda one: f"AWS::IAM::ServerCertificate:{one['Arn']}",
            lambda one: f"AWS::IAM::ServerCertificate:{one['ServerCertificateId']}",
            lambda one: f"AWS::IAM::ServerCertificate:{one['ServerCertificateName']}",
            lambda one: one["ServerCertificateId"],
            lambda one: one["ServerCertificateName"],
        ],
        ids=["arn", "arn-without-path", "config-arn", "config-id", "config-name", "id", "name"],
    )
    def test_every_form_of_resource_id(
        self, deployment: Deployment, name_it: Callable[[Metadata], str]
    ) -> None:
        """The certificate is found whichever way the finding names it; another one stays."""
        certificate = deployment.upload("old-web", path="/team/")
        deployment.upload("bystander")

        outcome = deployment.handle_one(deployment.report(name_it(certificate)))

        assert (outcome["outcome"], outcome["certificate"]) == ("deleted", certificate["Arn"])
        assert deployment.certificates() == {"bystander"}

    def test_resource_id_in_product_fields(self, deployment: Deployment) -> None:
        """Where the resource's id names no certificate, the product's field does."""
        certificate = deployment.upload("old-web")
        event = deployment.report(
            certificate["Arn"],
            Resources=[{"Type": "Other", "Id": f"AWS::::Account:{OWN_ACCOUNT}"}],
        )

        assert deployment.handle_one(event)["outcome"] == "deleted"

    def test_two_findings_of_one_event(self, deployment: Deployment) -> None:
        """A bare event with two findings about one certificate has one outcome for both."""
        certificate = deployment.upload("old-web")
        event = deployment.report(certificate["Arn"], standard="cis-3.0")
        twin = deployment.report(certificate["ServerCertificateName"], standard="cis-5.0")
        event["detail"]["findings"] += twin["detail"]["findings"]

        first, second = deployment.handle(event)["outcomes"]

        assert first["findingId"] == finding_of(event)["Id"]
        assert second == first | {"findingId": finding_of(twin)["Id"]}
        assert first["outcome"] == "deleted"
        assert deployment.finding(event)["Note"]["Text"] == deployment.note(twin)

    def test_two_findings_are_one_delete(self, deployment: Deployment) -> None:
        """Two findings about one certificate, named differently, cost one delete."""
        certificate = deployment.upload("old-web")
        events = [
            deployment.report(certificate["Arn"], standard="cis-3.0"),
            deployment.report(certificate["ServerCertificateId"], standard="cis-5.0"),
        ]

        with faults.record_calls() as calls:
            assert deployment.handle_batch(*events) == []

        assert len(calls.named("DeleteServerCertificate")) == 1
        assert [deployment.status(one) for one in events] == ["RESOLVED", "RESOLVED"]
        assert deployment.note(events[0]) == deployment.note(events[1])
        [message] = deployment.messages()
        assert all(finding_of(one)["Id"] in message.text for one in events)

    def test_finding_says_why(self, deployment: Deployment) -> None:
        """The note has the evidence, and the fields of others stay beside ours."""
        certificate = deployment.upload("old-web")
        event = deployment.report(certificate["Arn"], UserDefinedFields={"ticket": "SEC-1"})

        deployment.handle(event)

        finding = deployment.finding(event)
        [key] = deployment.archive()
        assert finding["Note"]["UpdatedBy"] == "iam26-remediation"
        assert finding["Note"]["Text"] == (
            f"Deleted: certificate old-web expired on {certificate['Expiration']:%Y-%m-%d}, and "
            "nothing refers to it (examined 0 resources of 5 kinds in 2 Regions). "
            f"Archived as s3://{BUCKET}/{key}."
        )
        fields = finding["UserDefinedFields"]
        checked_at = datetime.fromisoformat(fields.pop("iam26CheckedAt"))
        assert abs(datetime.now(UTC) - checked_at) < timedelta(minutes=5)
        assert fields == {
            "ticket": "SEC-1",
            "iam26Outcome": "deleted",
            "iam26Certificate": certificate["Arn"],
            "iam26CertificateId": certificate["ServerCertificateId"],
            "iam26References": "examined 0 resources of 5 kinds in 2 Regions",
        }

    def test_archive_has_everything(self, deployment: Deployment) -> None:
        """The record says what was deleted, for which findings, and on what evidence."""
        deployment.configure(REGIONS="us-east-1")
        seed.create_classic_load_balancer(deployment.aws.client, "plain")
        started = datetime.now(UTC).replace(microsecond=0)
        files = make_certificate(
            "old-web", started - timedelta(days=400), started - timedelta(days=9), with_chain=True
        )
        certificate = seed.plant_certificate(
            "old-web", path="/team/", files=files, tags={"owner": "web"}
        )
        events = [deployment.report(certificate["Arn"]), deployment.report("old-web")]

        deployment.handle_batch(*events)

        identifier = certificate["ServerCertificateId"]
        [(key, record)] = deployment.archive().items()
        assert key == f"certificates/{OWN_ACCOUNT}/old-web/{identifier}.json"
        assert record["state"] == "deleted"
        assert record["files"]["body"].strip() == files.body.strip()
        assert record["files"]["chain"].strip() == str(files.chain).strip()
        assert record["files"]["tags"] == {"owner": "web"}
        archived = record["files"]["certificate"]
        assert archived["ServerCertificateId"] == identifier
        assert archived["Arn"] == certificate["Arn"]
        assert datetime.fromisoformat(archived["Expiration"]) == started - timedelta(days=9)
        assert record["findingIds"] == [finding_of(one)["Id"] for one in events]
        assert record["regionsOutOfScope"] == ["eu-west-1"]
        coverage = record["evidence"]["coverage"]
        assert {(one["source"], one["region"]): one["examined"] for one in coverage} == {
            ("Classic Load Balancer", "us-east-1"): 1,
            ("Load balancer listener", "us-east-1"): 0,
            ("CloudFront distribution", "global"): 0,
            ("AppSync custom domain", "us-east-1"): 0,
            ("Elastic Beanstalk", "us-east-1"): 0,
        }
        moments = [
            datetime.fromisoformat(text)
            for text in (
                record["evidence"]["startedAt"],
                *sorted(one["checkedAt"] for one in coverage),
                record["archivedAt"],
            )
        ]
        assert moments == sorted(moments)
        assert started <= moments[0]
        assert moments[-1] <= datetime.now(UTC)
        assert "PRIVATE KEY" not in str(record)

    def test_archive_comes_before_the_delete(self, deployment: Deployment) -> None:
        """At the moment of the delete its record is there."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        seen: list[str] = []
        look = faults.Call(
            lambda: seen.extend(one["state"] for one in deployment.archive().values())
        )

        with faults.inject(operation="DeleteServerCertificate", fault=look):
            deployment.handle(event)

        assert seen == ["deleting"]

    @pytest.mark.parametrize("enabled", [("us-east-1", "eu-west-1"), DEFAULT_REGIONS])
    def test_regions_left_out_are_named(
        self, deployment: Deployment, enabled: tuple[str, ...]
    ) -> None:
        """However many Regions the settings leave out, the note tells of them and fits."""
        deployment.aws.knobs.enabled_regions = enabled
        deployment.configure(REGIONS="us-east-1")
        event = deployment.report(deployment.upload("old-web" * 18)["Arn"])

        assert deployment.handle_one(event)["outcome"] == "deleted"

        note = str(deployment.note(event))
        left_out = sorted(set(enabled) - {"us-east-1"})
        assert f"Out of scope by the settings: {left_out[0]}" in note
        assert re.search(r"-\d\.( Archived|$)|and \d+ more\.( Archived|$)", note)
        assert len(note) <= 512
        [record] = deployment.archive().values()
        assert record["regionsOutOfScope"] == left_out

    def test_people_are_told(self, deployment: Deployment) -> None:
        """One message per account and outcome lists the certificates."""
        certificates = [deployment.upload(name) for name in ("old-web", "old-api")]
        events = [deployment.report(one["Arn"]) for one in certificates]

        deployment.handle_batch(*events)

        [message] = deployment.messages()
        assert message.subject == f"IAM.26: 2 certificates deleted in account {OWN_ACCOUNT}"
        assert message.attributes == {"outcome": "deleted", "accountId": OWN_ACCOUNT}
        listed = [
            f"- {one['Arn']}\n  {deployment.note(event)}\n  Finding: {finding_of(event)['Id']}\n"
            for one, event in zip(certificates, events, strict=True)
        ]
        assert message.text == "\n".join([f"{message.subject}.\n", *listed])

    def test_nobody_needs_to_be_told(self, deployment: Deployment) -> None:
        """Without a topic the finding says it all the same."""
        deployment.configure(TOPIC_ARN="")
        event = deployment.report(deployment.upload("old-web")["Arn"])

        assert deployment.handle_one(event)["outcome"] == "deleted"

        assert deployment.status(event) == "RESOLVED"

    @pytest.mark.parametrize(
        ("partition", "home"), [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")]
    )
    def test_other_partitions(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch, partition: str, home: str
    ) -> None:
        """China and GovCloud work alike; CloudFront is asked only where there is one."""
        aws.knobs.enabled_regions = (home,)
        deployment = Deployment(aws, monkeypatch, home=home)
        deployment.create()
        certificate = deployment.upload("old-web", path="/team/")
        assert certificate["Arn"].startswith(f"arn:{partition}:iam::")
        event = deployment.report(certificate["Arn"], partition=partition)

        with faults.record_calls() as calls:
            outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["certificate"]) == ("deleted", certificate["Arn"])
        assert bool(calls.named("ListDistributions")) is (partition == "aws-cn")
        assert deployment.certificates() == set()
        assert deployment.status(event) == "RESOLVED"
        assert len(deployment.archive()) == len(deployment.messages()) == 1

    @pytest.mark.parametrize("kind", ["classic", "sni", "cloudfront"])
    def test_use_in_china(self, aws: Aws, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        """In China, too, a certificate in use stays, CloudFront included."""
        aws.knobs.enabled_regions = ("cn-north-1", "cn-northwest-1")
        deployment = Deployment(aws, monkeypatch, home="cn-north-1")
        deployment.create()
        certificate = deployment.upload("busy")

        def client(
            service: str, *, region: str = "cn-north-1", account_id: str = OWN_ACCOUNT
        ) -> Any:
            return aws.client(service, region=region, account_id=account_id)

        ATTACHMENTS[kind](client, "shop", "cn-northwest-1", certificate)

        outcome = deployment.handle_one(deployment.report(certificate["Arn"], partition="aws-cn"))

        assert outcome["outcome"] == "in-use"


class TestWouldDelete:
    """The dry run."""

    def test_nothing_is_touched(self, deployment: Deployment) -> None:
        """A dry run tells what would be deleted, deletes nothing and archives nothing."""
        deployment.configure(MODE="DryRun")
        certificate = deployment.upload("old-web")
        event = deployment.report(certificate["Arn"])

        outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["workflowStatus"]) == ("would-delete", "NOTIFIED")
        assert outcome["reason"].startswith(
            "Would be deleted (dry run): certificate old-web expired"
        )
        assert deployment.certificates() == {"old-web"}
        assert deployment.archive() == {}
        finding = deployment.finding(event)
        assert finding["Workflow"]["Status"] == "NOTIFIED"
        assert finding["Note"]["Text"] == outcome["reason"]
        assert without_time(finding["UserDefinedFields"]) == {
            "iam26Outcome": "would-delete",
            "iam26Certificate": outcome["certificate"],
            "iam26CertificateId": certificate["ServerCertificateId"],
            "iam26References": "examined 0 resources of 5 kinds in 2 Regions",
        }
        [message] = deployment.messages()
        assert message.attributes == {"outcome": "would-delete", "accountId": OWN_ACCOUNT}

    def test_needs_no_archive(self, deployment: Deployment) -> None:
        """A dry run works without a bucket, for a certificate that is gone as well."""
        deployment.configure(MODE="DryRun", ARCHIVE_BUCKET="")
        old, gone = deployment.upload("old-web")["Arn"], arn_of("gone")

        outcomes = [deployment.handle_one(deployment.report(one)) for one in (old, gone)]

        assert [one["outcome"] for one in outcomes] == ["would-delete", "already-gone"]

    def test_enforcing_afterwards_deletes(self, deployment: Deployment) -> None:
        """A finding that a dry run set to NOTIFIED is worked on when it is redelivered."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        deployment.configure(MODE="DryRun")
        deployment.handle(event)

        deployment.configure(MODE="Enforce")

        assert deployment.handle_one(event)["outcome"] == "deleted"


class TestInUse:
    """Something refers to the certificate."""

    @pytest.mark.parametrize("kind", ATTACHMENTS)
    def test_every_source_keeps_it(self, deployment: Deployment, kind: str) -> None:
        """A certificate in use anywhere stays, and the finding names what uses it."""
        certificate = deployment.upload("busy", path="/cloudfront/x/")
        attach(deployment, kind, certificate)
        event = deployment.report(certificate["Arn"])

        outcome = deployment.handle_one(event)

        assert outcome["outcome"] == "in-use"
        [holder] = outcome["references"]
        assert holder.startswith(HOLDERS[kind])
        assert "busy" in deployment.certificates()
        assert deployment.archive() == {}
        finding = deployment.finding(event)
        assert finding["Workflow"]["Status"] == "NOTIFIED"
        assert finding["Note"]["Text"] == (
            f"Kept: certificate busy expired on {certificate['Expiration']:%Y-%m-%d}, but it is in "
            f"use by {holder}. Replace it there first. {MOVE_TO_ACM}"
        )
        assert without_time(finding["UserDefinedFields"]) == {
            "iam26Outcome": "in-use",
            "iam26Certificate": certificate["Arn"],
            "iam26CertificateId": certificate["ServerCertificateId"],
            "iam26References": holder,
        }
        [message] = deployment.messages()
        assert message.attributes == {"outcome": "in-use", "accountId": OWN_ACCOUNT}
        assert holder in message.text

    def test_sni_of_a_network_load_balancer(self, deployment: Deployment) -> None:
        """A TLS listener of a Network Load Balancer has an SNI list as well."""
        busy, default = deployment.upload("busy"), deployment.upload("default", days=90)
        seed.create_load_balancer(
            deployment.aws.client, "shop", default["Arn"], sni=[busy["Arn"]], kind="network"
        )

        outcome = deployment.handle_one(deployment.report(busy["Arn"]))

        assert outcome["references"] == ["Load balancer listener shop:443 in us-east-1"]

    @pytest.mark.parametrize("kind", ["classic", "alb", "sni", "appsync", "saved"])
    def test_moved_to_another_path(self, deployment: Deployment, kind: str) -> None:
        """A certificate is in use under the path it had when it was attached."""
        attach(deployment, kind, deployment.upload("busy", path="/before/"))
        deployment.aws.client("iam").update_server_certificate(
            ServerCertificateName="busy", NewPath="/after/"
        )

        outcome = deployment.handle_one(deployment.report(arn_of("busy", "/after/")))

        assert outcome["outcome"] == "in-use"

    def test_released_in_the_end(self, deployment: Deployment) -> None:
        """Once nothing uses it any more, the next look at the same finding deletes it."""
        certificate = deployment.upload("busy")
        attach(deployment, "classic", certificate)
        event = deployment.report(certificate["Arn"])
        deployment.handle(event)
        deployment.aws.client("elb", region="eu-west-1").delete_load_balancer(
            LoadBalancerName="shop"
        )

        assert deployment.handle_one(event)["outcome"] == "deleted"

        assert deployment.certificates() == set()
        assert deployment.status(event) == "RESOLVED"
        fields = deployment.finding(event)["UserDefinedFields"]
        assert fields["iam26References"] == "examined 0 resources of 5 kinds in 2 Regions"
        assert [one.attributes["outcome"] for one in deployment.messages()] == ["in-use", "deleted"]

    def test_reference_on_a_later_page(self, deployment: Deployment) -> None:
        """Every list is read to its last page."""
        client = deployment.aws.client
        certificate = deployment.upload("busy")
        for number in range(405):
            seed.create_classic_load_balancer(client, f"lb-{number:03}")
        seed.create_classic_load_balancer(client, "zz-last", certificate["Arn"])

        outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert outcome["references"] == ["Classic Load Balancer zz-last:443 in us-east-1"]

    def test_delete_conflict(self, deployment: Deployment) -> None:
        """What IAM itself knows to be in use stays, and its archive record says kept."""
        certificate = deployment.upload("busy")
        event = deployment.report(certificate["Arn"])
        deployment.aws.knobs.guard_certificates_in_use = True
        late = faults.Call(lambda: attach(deployment, "alb", certificate))

        with faults.inject(operation="GetServerCertificate", fault=late, times=1):
            outcome = deployment.handle_one(event)

        assert outcome["outcome"] == "in-use"
        [holder] = outcome["references"]
        assert holder.startswith("arn:aws:elasticloadbalancing:eu-west-1:")
        assert "loadbalancer/app/shop" in holder
        assert holder in str(deployment.note(event))
        assert deployment.status(event) == "NOTIFIED"
        assert deployment.certificates() == {"busy"}
        assert [one["state"] for one in deployment.archive().values()] == ["kept"]
        assert [one.attributes["outcome"] for one in deployment.messages()] == ["in-use"]

    def test_conflict_spares_the_others(self, deployment: Deployment) -> None:
        """A conflict about one certificate does not keep the others."""
        busy, idle = deployment.upload("busy"), deployment.upload("idle")
        events = [deployment.report(one["Arn"]) for one in (busy, idle)]
        deployment.aws.knobs.guard_certificates_in_use = True
        late = faults.Call(lambda: attach(deployment, "alb", busy))

        with faults.inject(operation="GetServerCertificate", fault=late, times=1):
            assert deployment.handle_batch(*events) == []

        assert deployment.certificates() == {"busy"}
        assert [deployment.status(one) for one in events] == ["NOTIFIED", "RESOLVED"]
        outcomes = {one.attributes["outcome"] for one in deployment.messages()}
        assert outcomes == {"in-use", "deleted"}


class TestKept:
    """Reasons that cost no scan."""

    @pytest.mark.parametrize(
        ("outcome", "upload", "settings", "says"),
        [
            ("not-expired", {"days": 90}, {}, "is valid until"),
            ("in-grace-period", {"days": -3}, {"GRACE_PERIOD_DAYS": "7"}, "will be deleted after"),
            ("exempt", {"tags": {"iam26:keep": ""}}, {}, "carries the tag iam26:keep"),
            ("exempt", {"tags": {"legal": "x"}}, {"EXEMPT_TAG_KEY": "legal"}, "the tag legal"),
        ],
    )
    def test_reason_is_on_the_finding(
        self,
        deployment: Deployment,
        outcome: str,
        upload: dict[str, Any],
        settings: dict[str, str],
        says: str,
    ) -> None:
        """A valid, young or exempt certificate stays, quietly, and the finding says why."""
        deployment.configure(**settings)
        event = deployment.report(deployment.upload("kept", **upload)["Arn"])

        assert deployment.handle_one(event)["outcome"] == outcome

        assert says in str(deployment.note(event))
        assert deployment.status(event) == "NOTIFIED"
        assert deployment.finding(event)["UserDefinedFields"]["iam26Outcome"] == outcome
        assert deployment.certificates() == {"kept"}
        assert deployment.messages() == []

    def test_note_says_when_grace_ends(self, deployment: Deployment) -> None:
        """The note of a certificate in its grace period says when it will go."""
        deployment.configure(GRACE_PERIOD_DAYS="30")
        certificate = deployment.upload("young", days=-10)
        event = deployment.report(certificate["Arn"])

        deployment.handle(event)

        leaves = certificate["Expiration"] + timedelta(days=30)
        assert f"after {leaves:%Y-%m-%d %H:%M} UTC" in str(deployment.note(event))

    @pytest.mark.parametrize(("days", "outcome"), [(-6.99, "in-grace-period"), (-7.01, "deleted")])
    def test_grace_period_ends(self, deployment: Deployment, days: float, outcome: str) -> None:
        """The grace period counts from the moment of expiry."""
        deployment.configure(GRACE_PERIOD_DAYS="7")
        event = deployment.report(deployment.upload("old-web", days=days)["Arn"])

        assert deployment.handle_one(event)["outcome"] == outcome

    @pytest.mark.parametrize(
        "resource_id",
        [
            arn_of("gone", "/x/"),
            "ASCAGONEGONEGONEGONE1",
            f"AWS::IAM::ServerCertificate:{arn_of('gone')}",
        ],
    )
    def test_already_gone(self, deployment: Deployment, resource_id: str) -> None:
        """An ARN or id that IAM does not have resolves the finding."""
        deployment.upload("bystander")
        event = deployment.report(resource_id)

        outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["workflowStatus"]) == ("already-gone", "RESOLVED")
        assert deployment.status(event) == "RESOLVED"
        assert "no record of deleting it" in str(deployment.note(event))
        assert deployment.messages() == []
        assert deployment.certificates() == {"bystander"}


class TestUnverified:
    """The proof has a gap."""

    @pytest.mark.parametrize(
        ("resource_id", "says"),
        [
            ("no-such-name", "no certificate is named no-such-name"),
            (f"AWS::::Account:{OWN_ACCOUNT}", "AWS::::Account"),
            ("arn:aws:s3:::bucket", "arn:aws:s3:::bucket"),
            (arn_of("web", account_id=OTHER_ACCOUNT), OTHER_ACCOUNT),
            (f"arn:aws-cn:iam::{OWN_ACCOUNT}:server-certificate/web", "aws-cn"),
            (f"arn:aws:iam::{OWN_ACCOUNT}:role/web", "role/web"),
            ("w" * 129, "w" * 40),
        ],
    )
    def test_resource_that_cannot_be_trusted(
        self, deployment: Deployment, resource_id: str, says: str
    ) -> None:
        """An id that is no certificate of the finding's account decides nothing."""
        deployment.upload("web")
        event = deployment.report(resource_id)

        outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["certificate"]) == ("unverified", None)
        assert says in str(deployment.note(event))
        assert deployment.certificates() == {"web"}
        assert len(deployment.messages()) == 1

    @pytest.mark.parametrize("kind", ["classic", "alb", "nlb", "sni", "appsync"])
    @pytest.mark.parametrize("named", ["Arn", "ServerCertificateId"])
    def test_renamed_certificate(self, deployment: Deployment, kind: str, named: str) -> None:
        """A live listener or domain that names a missing certificate may hold this one, renamed."""
        iam = deployment.aws.client("iam")
        attach(deployment, kind, deployment.upload("before"))
        iam.update_server_certificate(
            ServerCertificateName="before", NewServerCertificateName="after"
        )
        answer = iam.get_server_certificate(ServerCertificateName="after")["ServerCertificate"]
        event = deployment.report(answer["ServerCertificateMetadata"][named])

        outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["references"]) == ("unverified", [])
        assert f"{HOLDERS[kind]} names {arn_of('before')}" in str(deployment.note(event))
        assert "after" in deployment.certificates()
        assert deployment.archive() == {}

    @pytest.mark.parametrize("kind", ["cloudfront", "saved"])
    def test_holder_that_cannot_hold_it(self, deployment: Deployment, kind: str) -> None:
        """An id never changes and a saved configuration serves nobody: neither stands for this."""
        other = deployment.upload("other", days=90)
        attach(deployment, kind, other)
        deployment.aws.client("iam").delete_server_certificate(ServerCertificateName="other")
        event = deployment.report(deployment.upload("old-web")["Arn"])

        assert deployment.handle_one(event)["outcome"] == "deleted"

    def test_moved_certificate(self, deployment: Deployment) -> None:
        """A certificate that is not at the path of the finding is not the finding's."""
        deployment.upload("web", path="/new/")

        assert deployment.handle_one(deployment.report(arn_of("web", "/old/")))["outcome"] == (
            "unverified"
        )

    def test_gap_names_source_and_region(self, deployment: Deployment) -> None:
        """A source that cannot be read in a Region keeps the certificate and is named."""
        event = deployment.report(deployment.upload("old-web")["Arn"])

        with faults.inject(service="appsync", region="eu-west-1", fault=faults.AccessDenied()):
            outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["references"]) == ("unverified", [])
        gap = "AppSync custom domain in eu-west-1 (AccessDeniedException)"
        assert gap in str(deployment.note(event))
        assert "Grant the role the missing permission" in str(deployment.note(event))
        finding = deployment.finding(event)
        assert finding["UserDefinedFields"]["iam26References"] == gap
        assert finding["Workflow"]["Status"] == "NOTIFIED"
        assert deployment.certificates() == {"old-web"}
        assert deployment.archive() == {}

    @pytest.mark.parametrize(
        ("regions", "region"),
        [("us-east-1,eu-west-1,eu-west-2", "eu-west-2"), ("ap-south-1", "ap-south-1")],
        ids=["one of them", "the only one"],
    )
    def test_region_that_is_not_enabled(
        self, deployment: Deployment, regions: str, region: str
    ) -> None:
        """A Region that REGIONS names in vain, as by a slip, is a gap in the proof."""
        deployment.configure(REGIONS=regions)
        event = deployment.report(deployment.upload("old-web")["Arn"])

        assert deployment.handle_one(event)["outcome"] == "unverified"

        gap = f"Region {region} (not an enabled Region of this account)"
        assert gap in str(deployment.note(event))
        assert deployment.certificates() == {"old-web"}

    def test_member_role_missing(self, deployment: Deployment) -> None:
        """An account that cannot be entered is unverified; the other account's work goes on."""
        deployment.configure(MEMBER_ROLE_NAME="iam26-member")
        own = deployment.report(deployment.upload("old-web")["Arn"])
        other = deployment.report(
            arn_of("web", account_id=MEMBER_ACCOUNT), account_id=MEMBER_ACCOUNT
        )

        with faults.inject(operation="AssumeRole", fault=faults.AccessDenied()):
            assert deployment.handle_batch(other, own) == []

        assert deployment.status(own) == "RESOLVED"
        fields = deployment.finding(other)["UserDefinedFields"]
        assert fields["iam26Outcome"] == "unverified"
        assert "member-role.yaml" in str(deployment.note(other))


class TestRefused:
    """Not ours to touch."""

    @pytest.mark.parametrize(
        "fields",
        [
            {"ProductArn": f"arn:aws:securityhub:us-east-1:{OWN_ACCOUNT}:product/x/default"},
            {"ProductArn": "arn:aws:securityhub:us-east-1::product/aws/guardduty"},
            {"ProductArn": "arn:aws:securityhub:us-east-1::product/aws/securityhub/x"},
            {"Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.1"}},
            {"Compliance": {}},
            {"compliance_status": "PASSED"},
            {"record_state": "ARCHIVED"},
            {"workflow_status": "SUPPRESSED"},
            {"account_id": MEMBER_ACCOUNT},
        ],
    )
    def test_finding_stays_untouched(self, deployment: Deployment, fields: dict[str, Any]) -> None:
        """A finding that asks for no action, or is none of ours, is left as it is."""
        event = deployment.report(deployment.upload("old-web")["Arn"], **fields)
        before = deployment.finding(event)

        outcome = deployment.handle_one(event)

        assert outcome["outcome"] == "refused"
        assert outcome["workflowStatus"] == before["Workflow"]["Status"]
        assert deployment.finding(event) == before
        assert deployment.certificates() == {"old-web"}
        assert deployment.messages() == []
        assert deployment.archive() == {}

    @pytest.mark.parametrize(
        "fields",
        [
            {"Workflow": {"Status": "SUPPRESSED"}},
            {"RecordState": "ARCHIVED"},
            {"Compliance": {"Status": "PASSED", "SecurityControlId": "IAM.26"}},
        ],
    )
    def test_finding_changed_since_its_event(
        self, deployment: Deployment, fields: dict[str, Any]
    ) -> None:
        """The finding as it is now decides, not as it was when the event was sent."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        deployment.edit_finding(event, **fields)
        before = deployment.finding(event)

        outcome = deployment.handle_one(event)

        assert outcome["outcome"] == "refused"
        assert outcome["workflowStatus"] == before["Workflow"]["Status"]
        assert deployment.finding(event) == before
        assert deployment.certificates() == {"old-web"}

    def test_suppression_lifted_since_the_event(self, deployment: Deployment) -> None:
        """A finding that was suppressed when its event was sent, and is not now, is worked on."""
        event = deployment.report(deployment.upload("old-web")["Arn"], workflow_status="SUPPRESSED")
        deployment.edit_finding(event, Workflow={"Status": "NEW"})

        assert deployment.handle_one(event)["outcome"] == "deleted"

    def test_suppressed_twin(self, deployment: Deployment) -> None:
        """A risk that is accepted on one standard's finding is about the certificate."""
        arn = deployment.upload("old-web")["Arn"]
        suppressed = deployment.report(arn, standard="cis-3.0", workflow_status="SUPPRESSED")
        open_ = deployment.report(arn, standard="cis-5.0")

        deployment.handle_batch(suppressed, open_)

        assert deployment.status(suppressed) == "SUPPRESSED"
        assert deployment.note(suppressed) is None
        assert deployment.status(open_) == "NOTIFIED"
        assert "its risk is accepted" in str(deployment.note(open_))
        assert deployment.certificates() == {"old-web"}

    def test_suppressed_twin_of_another_certificate(self, deployment: Deployment) -> None:
        """An accepted risk of one certificate keeps no other."""
        accepted, other = deployment.upload("accepted"), deployment.upload("old-web")
        deployment.report(accepted["Arn"], workflow_status="SUPPRESSED")
        event = deployment.report(other["Arn"])

        assert deployment.handle_one(event)["outcome"] == "deleted"
        assert deployment.certificates() == {"accepted"}


class TestMemberAccounts:
    """Findings of other accounts, through their role."""

    def test_member_account(self, deployment: Deployment) -> None:
        """IAM is called with credentials of the finding's own account, and of no other."""
        deployment.configure(MEMBER_ROLE_NAME="iam26-member")
        deployment.upload("old-web")
        member = deployment.upload("old-web", account_id=MEMBER_ACCOUNT)
        event = deployment.report(member["Arn"], account_id=MEMBER_ACCOUNT)

        with faults.record_calls() as calls:
            outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["accountId"]) == ("deleted", MEMBER_ACCOUNT)
        assert deployment.certificates() == {"old-web"}
        [assumed] = calls.named("AssumeRole")
        assert assumed.params["RoleArn"] == f"arn:aws:iam::{MEMBER_ACCOUNT}:role/iam26-member"
        assert {one.account for one in calls if one.service == "iam"} == {MEMBER_ACCOUNT}
        assert {one.account for one in calls if one.service == "securityhub"} == {OWN_ACCOUNT}
        [key] = deployment.archive()
        assert key.startswith(f"certificates/{MEMBER_ACCOUNT}/old-web/")
        [message] = deployment.messages()
        assert message.attributes == {"outcome": "deleted", "accountId": MEMBER_ACCOUNT}

    def test_same_name_in_two_accounts(self, deployment: Deployment) -> None:
        """A use in one account says nothing about the certificate of that name in another."""
        deployment.configure(MEMBER_ROLE_NAME="iam26-member")
        own = deployment.upload("web")
        member = deployment.upload("web", account_id=MEMBER_ACCOUNT)
        attach(deployment, "classic", own)
        events = [
            deployment.report(own["Arn"]),
            deployment.report(member["Arn"], account_id=MEMBER_ACCOUNT),
        ]

        assert deployment.handle_batch(*events) == []

        assert [deployment.status(one) for one in events] == ["NOTIFIED", "RESOLVED"]
        assert deployment.certificates() == {"web"}


@dataclass(frozen=True)
class Situation:
    """What leads to an outcome, again and again."""

    resource_id: str | None = None
    upload: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    use: str | None = None

    def arrange(self, deployment: Deployment) -> Event:
        """Let it be so, and return the event of a finding about it."""
        deployment.configure(**self.settings)
        certificate = deployment.upload("web", **self.upload)
        if self.use:
            attach(deployment, self.use, certificate)
        return deployment.report(self.resource_id or certificate["Arn"])


SITUATIONS = {
    "deleted": Situation(),
    "already-gone": Situation(arn_of("gone")),
    "would-delete": Situation(settings={"MODE": "DryRun"}),
    "not-expired": Situation(upload={"days": 90}),
    "in-grace-period": Situation(settings={"GRACE_PERIOD_DAYS": "365"}),
    "exempt": Situation(upload={"tags": {"iam26:keep": "yes"}}),
    "in-use": Situation(use="classic"),
    "unverified": Situation("no-such-name"),
}


class TestUnchanged:
    """What has not changed is neither written nor told again."""

    @pytest.fixture(params=SITUATIONS)
    def told(self, deployment: Deployment, request: pytest.FixtureRequest) -> Event:
        """The event of a finding that has its outcome, and of which people were told."""
        event = SITUATIONS[request.param].arrange(deployment)
        assert deployment.handle_one(event)["outcome"] == request.param
        deployment.messages()
        return event

    def test_same_outcome_is_silent(self, deployment: Deployment, told: Event) -> None:
        """The second look writes nothing and notifies nobody, although counts may differ."""
        before = deployment.finding(told)
        seed.create_classic_load_balancer(deployment.aws.client, "plain")

        with faults.record_calls() as calls:
            outcome = deployment.handle_one(told)

        assert outcome["outcome"] == before["UserDefinedFields"]["iam26Outcome"]
        assert outcome["workflowStatus"] == before["Workflow"]["Status"]
        assert calls.named("BatchUpdateFindings") == []
        assert deployment.messages() == []

    def test_status_set_back(self, deployment: Deployment, told: Event) -> None:
        """A finding that somebody set back to NEW is written again, but nobody is told."""
        before = deployment.finding(told)
        deployment.edit_finding(told, **before | {"Workflow": {"Status": "NEW"}})

        outcome = deployment.handle_one(told)

        assert outcome["workflowStatus"] == before["Workflow"]["Status"]
        assert deployment.status(told) == before["Workflow"]["Status"]
        assert deployment.messages() == []

    def test_other_referrers_are_news(self, deployment: Deployment) -> None:
        """Another set of referrers is written and told, although the outcome is the same."""
        certificate = deployment.upload("busy")
        attach(deployment, "classic", certificate)
        event = deployment.report(certificate["Arn"])
        deployment.handle(event)
        deployment.messages()
        attach(deployment, "alb", certificate, "late")

        deployment.handle(event)

        assert "late:443" in str(deployment.note(event))
        assert "late:443" in deployment.finding(event)["UserDefinedFields"]["iam26References"]
        assert len(deployment.messages()) == 1

    def test_other_gaps_are_news(self, deployment: Deployment) -> None:
        """The same gap again is silent, another one is written and told."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        deny = partial(faults.inject, fault=faults.AccessDenied(), region="eu-west-1")

        with deny(service="appsync"):
            deployment.handle(event)
            assert len(deployment.messages()) == 1
            deployment.handle(event)
            assert deployment.messages() == []
            with deny(service="elb"):
                deployment.handle(event)

        assert "Classic Load Balancer in eu-west-1" in str(deployment.note(event))
        assert len(deployment.messages()) == 1

    def test_one_more_of_many_referrers_is_news(self, deployment: Deployment) -> None:
        """A referrer beyond what note and field have room for is news all the same."""
        certificate = deployment.upload("busy")
        names = [f"balancer-with-a-long-name-{number:02}" for number in range(26)]
        for name in names[:25]:
            attach(deployment, "classic", certificate, name)
        event = deployment.report(certificate["Arn"])
        deployment.handle(event)
        deployment.messages()
        for name in names[24:]:
            elb = deployment.aws.client("elb", region="eu-west-1")
            elb.delete_load_balancer(LoadBalancerName=name)
        attach(deployment, "classic", certificate, names[25])

        deployment.handle(event)

        assert len(deployment.messages()) == 1


OUR_FIELDS = {
    "iam26Outcome",
    "iam26Certificate",
    "iam26CertificateId",
    "iam26CheckedAt",
    "iam26References",
}


class TestLimits:
    """What Security Hub has room for."""

    @pytest.mark.parametrize(
        ("count", "ours"),
        [
            (45, OUR_FIELDS),
            (48, {"iam26Outcome", "iam26References"}),
            (50, set()),
        ],
    )
    def test_fields_of_others_win(self, deployment: Deployment, count: int, ours: set[str]) -> None:
        """Where 50 user-defined fields would be passed, none of the others' is lost."""
        theirs = {f"field-{number}": "x" for number in range(count)}
        event = deployment.report(deployment.upload("old-web")["Arn"], UserDefinedFields=theirs)

        deployment.handle(event)

        fields = deployment.finding(event)["UserDefinedFields"]
        assert theirs.items() <= fields.items()
        assert fields.keys() - theirs.keys() == ours
        assert deployment.status(event) == "RESOLVED"

    @pytest.mark.parametrize("count", [45, 48, 49, 50])
    def test_unchanged_without_room(self, deployment: Deployment, count: int) -> None:
        """An unchanged outcome is told once, even where our fields have no room."""
        theirs = {f"field-{number}": "x" for number in range(count)}
        certificate = deployment.upload("busy")
        attach(deployment, "classic", certificate, "edge")
        event = deployment.report(certificate["Arn"], UserDefinedFields=theirs)
        deployment.handle(event)
        assert len(deployment.messages()) == 1

        with faults.record_calls() as calls:
            assert deployment.handle_one(event)["outcome"] == "in-use"

        assert calls.named("BatchUpdateFindings") == []
        assert deployment.messages() == []

    def test_many_references(self, deployment: Deployment) -> None:
        """25 references give a note that still reads, and say how many there are."""
        certificate = deployment.upload("busy")
        for number in range(25):
            attach(deployment, "classic", certificate, f"balancer-with-a-long-name-{number:02}")
        event = deployment.report(certificate["Arn"])

        outcome = deployment.handle_one(event)

        note = str(deployment.note(event))
        assert len(note) <= 512
        told = re.search(r"; and (\d+) more\. Replace it there first\.$", note)
        assert told is not None
        assert note.count("balancer-with-a-long-name-") + int(told[1]) == 25
        assert len(outcome["references"]) == 25
        assert len(deployment.finding(event)["UserDefinedFields"]["iam26References"]) <= 1024

    @pytest.mark.parametrize("use", [None, "classic"])
    def test_long_names(self, deployment: Deployment, use: str | None) -> None:
        """128-character names under long paths fit, and are found in an event and in a use."""
        certificate = deployment.upload("n" * 128, path=f"/{'p' * 510}/")
        if use:
            attach(deployment, use, certificate)
        event = deployment.report(certificate["Arn"])

        outcome = deployment.handle_one(event)

        assert outcome["outcome"] == ("in-use" if use else "deleted")
        finding = deployment.finding(event)
        assert "n" * 128 in finding["Note"]["Text"]
        assert len(finding["Note"]["Text"]) <= 512
        assert finding["Note"]["Text"].endswith(".")
        assert finding["UserDefinedFields"]["iam26Certificate"] == certificate["Arn"]
        [message] = deployment.messages()
        assert len(message.subject) <= 100

    def test_long_name_of_a_renamed_certificate(self, deployment: Deployment) -> None:
        """A long ARN that a note must name is cut, so that the rest of the note remains."""
        attach(deployment, "classic", deployment.upload("b" * 128, path=f"/{'p' * 510}/"))
        deployment.aws.client("iam").update_server_certificate(
            ServerCertificateName="b" * 128, NewServerCertificateName="a" * 128
        )
        event = deployment.report(arn_of("a" * 128))

        assert deployment.handle_one(event)["outcome"] == "unverified"

        note = str(deployment.note(event))
        assert len(note) <= 512
        assert "shop:443 in eu-west-1 names arn:" in note
