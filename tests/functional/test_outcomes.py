"""The outcome table of the contract, row by row, through the real handler."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local import faults, seed
from local.aws import Aws
from local.world import OWN_ACCOUNT
from tests.functional.deployment import (
    MEMBER_ACCOUNT,
    Deployment,
    arn_of,
    finding_of,
)

Metadata = dict[str, Any]


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
        assert finding["Note"]["UpdatedBy"] == "iam26-remediation"
        assert re.match(
            r"Deleted: certificate old-web expired on \d{4}-\d\d-\d\d, and nothing refers to it "
            r"\(examined 0 resources of 5 kinds in 2 Regions\)\. Archived as s3://",
            finding["Note"]["Text"],
        )
        fields = finding["UserDefinedFields"]
        checked_at = datetime.fromisoformat(fields.pop("iam26CheckedAt"))
        assert abs(datetime.now(UTC) - checked_at) < timedelta(minutes=5)
        assert fields == {
            "ticket": "SEC-1",
            "iam26Outcome": "deleted",
            "iam26Certificate": certificate["Arn"],
            "iam26References": "examined 0 resources of 5 kinds in 2 Regions",
        }

    def test_archive_has_everything(self, deployment: Deployment) -> None:
        """The record says what was deleted, for which findings, and on what evidence."""
        deployment.configure(REGIONS="us-east-1")
        certificate = deployment.upload("old-web", path="/team/", tags={"owner": "web"})
        event = deployment.report(certificate["Arn"])

        deployment.handle(event)

        identifier = certificate["ServerCertificateId"]
        key = f"certificates/{OWN_ACCOUNT}/old-web/{identifier}.json"
        record = deployment.archive()[key]
        assert record["state"] == "deleting"
        assert record["files"]["body"].startswith("-----BEGIN CERTIFICATE-----")
        assert record["files"]["tags"] == {"owner": "web"}
        assert record["files"]["certificate"]["ServerCertificateId"] == identifier
        assert record["findingIds"] == [finding_of(event)["Id"]]
        assert record["regionsOutOfScope"] == ["eu-west-1"]
        coverage = {(one["source"], one["region"]) for one in record["evidence"]["coverage"]}
        assert coverage == {
            ("Classic Load Balancer", "us-east-1"),
            ("Load balancer listener", "us-east-1"),
            ("CloudFront distribution", "global"),
            ("AppSync custom domain", "us-east-1"),
            ("Elastic Beanstalk", "us-east-1"),
        }
        assert all(
            one["checkedAt"] and one["examined"] == 0 for one in record["evidence"]["coverage"]
        )
        assert "eu-west-1" in str(deployment.note(event))

    def test_people_are_told(self, deployment: Deployment) -> None:
        """One message an account and outcome lists the certificates."""
        certificates = [deployment.upload(name) for name in ("old-web", "old-api")]

        deployment.handle_batch(*(deployment.report(one["Arn"]) for one in certificates))

        [message] = deployment.messages()
        assert message.subject == f"IAM.26: 2 certificates deleted in account {OWN_ACCOUNT}"
        assert message.attributes == {"outcome": "deleted", "accountId": OWN_ACCOUNT}
        assert all(one["Arn"] in message.text for one in certificates)

    @pytest.mark.parametrize(
        ("partition", "home"), [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")]
    )
    def test_other_partitions(
        self, aws: Aws, monkeypatch: pytest.MonkeyPatch, partition: str, home: str
    ) -> None:
        """China and GovCloud work alike; CloudFront is asked only where there is one."""
        aws.knobs.enabled_regions = (home,)
        deployment = Deployment(aws, monkeypatch, home)
        deployment.create()
        certificate = deployment.upload("old-web")
        assert certificate["Arn"].startswith(f"arn:{partition}:iam::")

        with faults.record_calls() as calls:
            outcome = deployment.handle_one(
                deployment.report(certificate["Arn"], partition=partition)
            )

        assert outcome["outcome"] == "deleted"
        assert bool(calls.named("ListDistributions")) is (partition == "aws-cn")


class TestWouldDelete:
    """The dry run."""

    def test_nothing_is_touched(self, deployment: Deployment) -> None:
        """A dry run tells what would be deleted, deletes nothing and archives nothing."""
        deployment.configure(MODE="DryRun")
        event = deployment.report(deployment.upload("old-web")["Arn"])

        outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["workflowStatus"]) == ("would-delete", "NOTIFIED")
        assert deployment.certificates() == {"old-web"}
        assert deployment.archive() == {}
        assert deployment.status(event) == "NOTIFIED"
        [message] = deployment.messages()
        assert message.attributes["outcome"] == "would-delete"

    def test_enforcing_afterwards_deletes(self, deployment: Deployment) -> None:
        """A finding that a dry run set to NOTIFIED is worked on when it comes again."""
        event = deployment.report(deployment.upload("old-web")["Arn"])
        deployment.configure(MODE="DryRun")
        deployment.handle(event)

        deployment.configure(MODE="Enforce")

        assert deployment.handle_one(event)["outcome"] == "deleted"


def classic(deployment: Deployment, one: Metadata) -> object:
    return seed.create_classic_load_balancer(
        deployment.aws.client, "edge", one["Arn"], region="eu-west-1"
    )


def alb_default(deployment: Deployment, one: Metadata) -> object:
    return seed.create_load_balancer(deployment.aws.client, "shop", one["Arn"])


def sni_of(kind: Any) -> Callable[[Deployment, Metadata], object]:
    def attach(deployment: Deployment, one: Metadata) -> object:
        default = deployment.upload("default", days=90)["Arn"]
        return seed.create_load_balancer(
            deployment.aws.client,
            "names",
            default,
            sni=[one["Arn"]],
            kind=kind,
            region="eu-west-1",
        )

    return attach


def distribution(deployment: Deployment, one: Metadata) -> object:
    return seed.create_distribution(deployment.aws.client, one["ServerCertificateId"])


def distribution_with_twin(deployment: Deployment, one: Metadata) -> object:
    return seed.create_distribution(
        deployment.aws.client, one["ServerCertificateId"], deprecated=True
    )


def api_domain(deployment: Deployment, one: Metadata) -> object:
    return seed.create_api_domain(
        deployment.aws.client, "api.example.com", one["Arn"], region="eu-west-1"
    )


def environment_of(kind: Any) -> Callable[[Deployment, Metadata], object]:
    def attach(deployment: Deployment, one: Metadata) -> object:
        return seed.create_environment(
            deployment.aws.client, "billing", "billing-prod", one["Arn"], kind=kind
        )

    return attach


def saved_configuration(deployment: Deployment, one: Metadata) -> object:
    return seed.create_saved_configuration(
        deployment.aws.client, "billing", "last-year", one["Arn"], region="eu-west-1"
    )


USES = {
    "classic": (classic, "Classic Load Balancer edge:443 in eu-west-1"),
    "alb-default": (alb_default, "Load balancer listener shop:443 in us-east-1"),
    "alb-sni": (sni_of("application"), "Load balancer listener names:443 in eu-west-1"),
    "nlb-sni": (sni_of("network"), "Load balancer listener names:443 in eu-west-1"),
    "cloudfront": (distribution, "CloudFront distribution"),
    "cloudfront-twin": (distribution_with_twin, "CloudFront distribution"),
    "appsync": (api_domain, "AppSync custom domain api.example.com in eu-west-1"),
    "beanstalk-classic": (environment_of("classic"), "environment billing-prod in us-east-1"),
    "beanstalk-alb": (environment_of("application"), "environment billing-prod in us-east-1"),
    "beanstalk-saved": (saved_configuration, "saved configuration billing/last-year in eu-west-1"),
}


class TestInUse:
    """Something refers to the certificate."""

    @pytest.mark.parametrize("use", USES)
    def test_every_source_keeps_it(self, deployment: Deployment, use: str) -> None:
        """A certificate in use anywhere stays, and the finding names what uses it."""
        attach, holder = USES[use]
        certificate = deployment.upload("busy", path="/cloudfront/x/")
        attach(deployment, certificate)
        event = deployment.report(certificate["Arn"])

        outcome = deployment.handle_one(event)

        assert outcome["outcome"] == "in-use"
        assert [holder in one for one in outcome["references"]] == [True]
        assert "busy" in deployment.certificates()
        assert holder in str(deployment.note(event))
        assert deployment.status(event) == "NOTIFIED"
        assert holder in deployment.finding(event)["UserDefinedFields"]["iam26References"]
        [message] = deployment.messages()
        assert holder in message.text

    def test_reference_on_a_later_page(self, deployment: Deployment) -> None:
        """Every list is read to its last page."""
        client = deployment.aws.client
        certificate = deployment.upload("busy")
        for number in range(405):
            seed.create_classic_load_balancer(client, f"lb-{number:03}")
        seed.create_classic_load_balancer(client, "zz-last", certificate["Arn"])

        outcome = deployment.handle_one(deployment.report(certificate["Arn"]))

        assert outcome["references"] == ["Classic Load Balancer zz-last:443 in us-east-1"]

    def test_many_references_fit(self, deployment: Deployment) -> None:
        """25 references give a note that still reads, and say how many there are."""
        certificate = deployment.upload("busy")
        for number in range(25):
            seed.create_classic_load_balancer(
                deployment.aws.client, f"balancer-with-a-long-name-{number:02}", certificate["Arn"]
            )
        event = deployment.report(certificate["Arn"])

        outcome = deployment.handle_one(event)

        note = str(deployment.note(event))
        assert len(note) <= 512
        assert re.search(r"; and \d+ more\. Replace it there first\.$", note)
        assert len(outcome["references"]) == 25
        assert len(deployment.finding(event)["UserDefinedFields"]["iam26References"]) <= 1024

    def test_delete_conflict(self, deployment: Deployment) -> None:
        """What IAM itself knows to be in use stays, and its archive record says kept."""
        certificate = deployment.upload("busy")
        event = deployment.report(certificate["Arn"])
        deployment.aws.knobs.guard_certificates_in_use = True
        attach = faults.Call(lambda: alb_default(deployment, certificate))

        with faults.inject(operation="GetServerCertificate", fault=attach):
            outcome = deployment.handle_one(event)

        assert outcome["outcome"] == "in-use"
        assert "loadbalancer/app/shop" in outcome["references"][0]
        assert [one["state"] for one in deployment.archive().values()] == ["kept"]

    def test_conflict_spares_the_others(self, deployment: Deployment) -> None:
        """A conflict about one certificate does not keep the others."""
        busy, idle = deployment.upload("busy"), deployment.upload("idle")
        events = [deployment.report(one["Arn"]) for one in (busy, idle)]
        deployment.aws.knobs.guard_certificates_in_use = True
        attach = faults.Call(lambda: alb_default(deployment, busy))

        with faults.inject(operation="GetServerCertificate", fault=attach, times=1):
            assert deployment.handle_batch(*events) == []

        assert deployment.certificates() == {"busy"}


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
        assert deployment.certificates() == {"kept"}
        assert deployment.messages() == []

    @pytest.mark.parametrize("resource_id", [arn_of("gone", "/x/"), "ASCAGONEGONEGONEGONE1"])
    def test_already_gone(self, deployment: Deployment, resource_id: str) -> None:
        """An ARN or id that IAM does not have resolves the finding."""
        event = deployment.report(resource_id)

        outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["workflowStatus"]) == ("already-gone", "RESOLVED")
        assert deployment.messages() == []


class TestUnverified:
    """The proof has a gap."""

    @pytest.mark.parametrize(
        ("resource_id", "says"),
        [
            ("no-such-name", "no certificate is named no-such-name"),
            (f"AWS::::Account:{OWN_ACCOUNT}", "AWS::::Account"),
            ("arn:aws:s3:::bucket", "arn:aws:s3:::bucket"),
            (arn_of("web", account_id="999988887777"), "999988887777"),
            (f"arn:aws-cn:iam::{OWN_ACCOUNT}:server-certificate/web", "aws-cn"),
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

    def test_renamed_certificate(self, deployment: Deployment) -> None:
        """A listener that names a missing certificate may hold this one, renamed."""
        client = deployment.aws.client
        certificate = deployment.upload("before")
        alb_default(deployment, certificate)
        client("iam").update_server_certificate(
            ServerCertificateName="before", NewServerCertificateName="after"
        )
        event = deployment.report(arn_of("after"))

        outcome = deployment.handle_one(event)

        assert outcome["outcome"] == "unverified"
        assert f"shop:443 in us-east-1 names {arn_of('before')}" in str(deployment.note(event))
        assert deployment.certificates() == {"after"}

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

        assert outcome["outcome"] == "unverified"
        assert "AppSync custom domain in eu-west-1 (AccessDenied" in str(deployment.note(event))
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
            {"account_id": "999988887777"},
        ],
    )
    def test_finding_stays_untouched(self, deployment: Deployment, fields: dict[str, Any]) -> None:
        """A finding that asks for no action, or is none of ours, is left as it is."""
        event = deployment.report(deployment.upload("old-web")["Arn"], **fields)
        before = finding_of(event)["Workflow"]["Status"]

        outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["workflowStatus"]) == ("refused", before)
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

        assert deployment.handle_one(event)["outcome"] == "refused"
        assert deployment.certificates() == {"old-web"}


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
        assert f"certificates/{MEMBER_ACCOUNT}/old-web/" in next(iter(deployment.archive()))


class TestUnchanged:
    """What has not changed is neither written nor told again."""

    def test_same_outcome_is_silent(self, deployment: Deployment) -> None:
        """The second look at a certificate in use writes nothing and notifies nobody."""
        certificate = deployment.upload("busy")
        classic(deployment, certificate)
        event = deployment.report(certificate["Arn"])
        deployment.handle(event)
        deployment.messages()

        with faults.record_calls() as calls:
            outcome = deployment.handle_one(event)

        assert (outcome["outcome"], outcome["workflowStatus"]) == ("in-use", "NOTIFIED")
        assert calls.named("BatchUpdateFindings") == []
        assert deployment.messages() == []

    def test_status_set_back(self, deployment: Deployment) -> None:
        """A finding that somebody set back to NEW is written again, but nobody is told."""
        certificate = deployment.upload("busy")
        classic(deployment, certificate)
        event = deployment.report(certificate["Arn"])
        deployment.handle(event)
        deployment.messages()
        deployment.edit_finding(
            event, **deployment.finding(event) | {"Workflow": {"Status": "NEW"}}
        )

        deployment.handle(event)

        assert deployment.status(event) == "NOTIFIED"
        assert deployment.messages() == []

    def test_other_referrers_are_news(self, deployment: Deployment) -> None:
        """Another set of referrers is written and told, although the outcome is the same."""
        certificate = deployment.upload("busy")
        classic(deployment, certificate)
        event = deployment.report(certificate["Arn"])
        deployment.handle(event)
        deployment.messages()
        alb_default(deployment, certificate)

        deployment.handle(event)

        assert "shop:443" in str(deployment.note(event))
        assert len(deployment.messages()) == 1

    def test_fifty_fields_of_others_win(self, deployment: Deployment) -> None:
        """Where the finding has 50 user-defined fields of others, none of them is lost."""
        theirs = {f"field-{number}": "x" for number in range(50)}
        event = deployment.report(deployment.upload("old-web")["Arn"], UserDefinedFields=theirs)

        deployment.handle(event)

        assert deployment.finding(event)["UserDefinedFields"] == theirs
        assert deployment.status(event) == "RESOLVED"


def test_long_names_fit(deployment: Deployment) -> None:
    """128-character names under long paths give a note of at most 512 characters."""
    certificate = deployment.upload("n" * 128, path=f"/{'p' * 500}/")
    event = deployment.report(certificate["Arn"])

    assert deployment.handle_one(event)["outcome"] == "deleted"

    assert len(str(deployment.note(event))) <= 512
    assert json.dumps(deployment.finding(event)["UserDefinedFields"])
