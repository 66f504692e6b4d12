"""One account: its certificates are listed, screened, scanned for once, proven and acted on."""

from datetime import timedelta
from typing import Any

import pytest

from handlers.remediation.account import AccountRemediation, AccountResult
from handlers.remediation.cases import Arrival, Postponed
from handlers.remediation.deadline import REPORT_SECONDS, Deadline
from models.errors import AwsCallError, EventError, TransientError
from models.finding import Finding
from models.outcome import Conclusion, Outcome
from models.reference import Gap
from models.settings import Mode, Settings
from tests.builders import (
    CERTIFICATE_ID,
    NOW,
    OTHER_ACCOUNT,
    make_arn,
    make_certificate,
    make_reference,
)
from tests.fakes import OWN_ACCOUNT, World, make_record
from tests.unit.remediation.conftest import Stopwatch

THROTTLED = TransientError("throttled")
VALID = NOW + timedelta(days=90)


def run(world: World, *arrivals: Arrival, deadline: Deadline | None = None) -> AccountResult:
    work = AccountRemediation(
        world.accounts,
        world.security_hub,
        world.archive,
        world.settings,
        world.clock,
        deadline or Deadline(),
    )
    return work.run(OWN_ACCOUNT, arrivals)


def outcomes_of(result: AccountResult) -> dict[str, Outcome | None]:
    """Return the outcome for each finding by its id; None is postponed."""
    return {
        finding.id: case.verdict.outcome if isinstance(case.verdict, Conclusion) else None
        for case in result.cases
        for finding in case.findings
    }


def errors_of(result: AccountResult) -> list[Exception]:
    return [case.verdict.error for case in result.cases if isinstance(case.verdict, Postponed)]


def add_candidates(world: World, count: int = 2) -> list[Arrival]:
    """Put expired certificates that nothing refers to in the account, and a finding about each."""
    certificates = [world.add_expired(f"web-{n}", number=n) for n in range(1, count + 1)]
    return [world.add_finding(one.arn) for one in certificates]


class TestScan:
    """One scan of the account serves as many certificates as it can."""

    def test_is_shared(self, world: World) -> None:
        """Several certificates rest on one scan."""
        result = run(world, *add_candidates(world, 3))

        assert set(outcomes_of(result).values()) == {Outcome.DELETED}
        assert world.account.calls == ["scan"]
        assert len(result.scans) == 1
        assert result.account_id == OWN_ACCOUNT

    def test_is_made_anew_when_it_grew_old(self, world: World) -> None:
        """When five minutes have passed since it began, the next certificate has a new one."""
        arrivals = add_candidates(world, 3)
        world.certificates.before["DeleteServerCertificate"] = lambda: world.clock.advance(
            minutes=5
        )

        result = run(world, *arrivals)

        assert set(outcomes_of(result).values()) == {Outcome.DELETED}
        assert [scan.started_at - NOW for scan in result.scans] == [
            timedelta(0),
            timedelta(minutes=5),
        ]
        records = [record for _, _, record in world.archive.versions]
        assert [record.evidence.started_at for record in records] == [
            *[NOW] * 2,
            *[NOW + timedelta(minutes=5)] * 4,
        ]

    def test_is_made_for_candidates_alone(self, world: World) -> None:
        """What little suffices to know costs no scan."""
        valid = make_certificate("valid", expiration=VALID)
        tagged = make_certificate("tagged", id="ASCATAGGED00000000001")
        world.certificates.put(valid)
        world.certificates.put(tagged, {"iam26:keep": ""})

        result = run(
            world,
            world.add_finding(valid.arn),
            world.add_finding(tagged.arn),
            world.add_finding(make_arn("gone")),
        )

        assert outcomes_of(result) == {
            "finding/1": Outcome.NOT_EXPIRED,
            "finding/2": Outcome.EXEMPT,
            "finding/3": Outcome.ALREADY_GONE,
        }
        assert world.account.calls == []
        assert list(result.scans) == []

    def test_takes_too_long(self, world: World) -> None:
        """A scan that is old when it ends carries no delete."""
        arrivals = add_candidates(world)
        world.account.before["scan"] = lambda: world.clock.advance(minutes=5)

        result = run(world, *arrivals)

        assert set(outcomes_of(result).values()) == {None}
        assert "too long" in str(errors_of(result)[0])
        assert world.certificates.deleted == []

    def test_fails(self, world: World) -> None:
        """What was done before a scan that fails is done; all that needs the scan is retried."""
        arrivals = add_candidates(world, 3)

        def grow_old() -> None:
            world.clock.advance(minutes=5)
            world.account.fail("scan", THROTTLED)

        world.certificates.before["DeleteServerCertificate"] = grow_old

        result = run(world, *arrivals)

        assert outcomes_of(result) == {
            "finding/1": Outcome.DELETED,
            "finding/2": None,
            "finding/3": None,
        }
        assert errors_of(result) == [THROTTLED, THROTTLED]
        assert len(world.certificates.stored) == 2

    def test_finds_a_holder(self, world: World) -> None:
        """A certificate that something refers to is kept, and the other goes."""
        arrivals = add_candidates(world)
        world.account.found = [make_reference(make_arn("web-1"))]

        assert outcomes_of(run(world, *arrivals)) == {
            "finding/1": Outcome.IN_USE,
            "finding/2": Outcome.DELETED,
        }

    def test_finds_a_holder_of_a_certificate_without_finding(self, world: World) -> None:
        """A holder of another certificate of the account stands against nothing."""
        arrivals = add_candidates(world, 1)
        world.certificates.put(make_certificate("other", id="ASCAOTHER000000000001"))
        world.account.found = [make_reference(make_arn("other"))]

        assert outcomes_of(run(world, *arrivals)) == {"finding/1": Outcome.DELETED}

    def test_has_a_gap(self, world: World) -> None:
        """What could not be read everywhere is not proven."""
        arrivals = add_candidates(world)
        world.account.gaps = [Gap(source="AppSync", region="eu-west-1", cause="AccessDenied")]

        assert set(outcomes_of(run(world, *arrivals)).values()) == {Outcome.UNVERIFIED}
        assert world.certificates.deleted == []

    def test_finds_a_certificate_that_came_meanwhile(self, world: World) -> None:
        """What seems to dangle may have been uploaded during the scan: it is listed once more."""
        arrivals = add_candidates(world, 2)
        renewed = make_certificate("new", id="ASCARENEWED0000000001", expiration=VALID)
        world.account.before["scan"] = lambda: world.certificates.put(renewed)
        world.account.found = [make_reference(renewed.arn)]

        assert set(outcomes_of(run(world, *arrivals)).values()) == {Outcome.DELETED}
        assert world.certificates.calls.count("ListServerCertificates") == 2

    def test_finds_what_dangles(self, world: World) -> None:
        """What names no certificate in the second list either may hold any."""
        arrivals = add_candidates(world, 2)
        world.account.found = [make_reference(make_arn("unknown"))]

        assert set(outcomes_of(run(world, *arrivals)).values()) == {Outcome.UNVERIFIED}
        assert world.certificates.calls.count("ListServerCertificates") == 2
        assert world.certificates.deleted == []

    @pytest.mark.parametrize(
        ("error", "outcome"),
        [(AwsCallError("L", "AccessDenied"), Outcome.UNVERIFIED), (THROTTLED, None)],
    )
    def test_cannot_be_compared(
        self, world: World, error: Exception, outcome: Outcome | None
    ) -> None:
        """Without the second list nothing is believed."""
        arrivals = add_candidates(world, 2)
        world.account.found = [make_reference(make_arn("unknown"))]
        world.account.before["scan"] = lambda: world.certificates.fail(
            "ListServerCertificates", error
        )

        assert set(outcomes_of(run(world, *arrivals)).values()) == {outcome}


def suppress(world: World, resource_id: str, **overrides: Any) -> Finding:
    """Put a suppressed finding of another standard about a certificate in Security Hub."""
    suppressed = {"Workflow": {"Status": "SUPPRESSED"}, "RecordState": "ARCHIVED"}
    return world.add_finding(resource_id, **suppressed | overrides).finding


class TestSuppressed:
    """A risk that somebody accepted is about the certificate, not about one finding of it."""

    @pytest.mark.parametrize(
        "form",
        ["{arn}", "{id}", "example-cert", "AWS::IAM::ServerCertificate:{id}", "{moved}", "{by_id}"],
    )
    def test_twin(self, world: World, form: str) -> None:
        """Whatever form the suppressed twin names it in, the certificate is exempt."""
        certificate = world.add_expired()
        other = world.add_expired("other", number=2)
        twin = suppress(
            world,
            form.format(
                arn=certificate.arn,
                id=certificate.id,
                moved=make_arn(path="/elsewhere/"),
                by_id=make_arn(certificate.id),
            ),
        )
        arrivals = [world.add_finding(certificate.arn), world.add_finding(other.arn)]

        result = run(world, *arrivals)

        assert outcomes_of(result) == {
            "finding/2": Outcome.EXEMPT,
            "finding/3": Outcome.DELETED,
        }
        [exempt] = [case for case in result.cases if case.has_outcome(Outcome.EXEMPT)]
        assert isinstance(exempt.verdict, Conclusion)
        assert twin.id in exempt.verdict.note
        assert world.security_hub.calls == ["GetFindings (suppressed)"]

    @pytest.mark.parametrize(
        "overrides",
        [
            {"Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.8"}},
            {"ProductArn": "arn:aws:securityhub:us-east-1::product/111122223333/default"},
            {"AwsAccountId": OTHER_ACCOUNT},
            {"Resources": [{"Id": make_arn("web", account_id=OTHER_ACCOUNT)}]},
            {"Resources": [{"Id": "AWS::::Account:111122223333"}]},
            {"Resources": [{"Id": make_arn("web-2")}]},
        ],
        ids=["control", "product", "account", "arn's account", "about the account", "name"],
    )
    def test_finding_about_something_else(self, world: World, overrides: dict[str, Any]) -> None:
        """Another control, product, account or certificate is no accepted risk of this one."""
        arrival = world.add_finding(world.add_expired("web").arn)
        suppress(world, make_arn("web"), **overrides)

        assert outcomes_of(run(world, arrival)) == {arrival.finding.id: Outcome.DELETED}

    def test_renamed_since(self, world: World) -> None:
        """What we wrote on the suppressed finding tells of a certificate that was renamed since."""
        certificate = world.add_expired("web.expired")
        fields = {"iam26CertificateId": certificate.id, "iam26Outcome": "in-use"}
        suppress(world, make_arn("web"), UserDefinedFields=fields)

        assert set(outcomes_of(run(world, world.add_finding(certificate.arn))).values()) == {
            Outcome.EXEMPT
        }

    @pytest.mark.parametrize(
        "overrides",
        [
            {"Resources": [{"Id": "Web"}]},
            {"Resources": [{"Id": "AWS::::Account:111122223333"}, {"Id": make_arn("web")}]},
            {
                "Resources": [{"Id": "AWS::::Account:111122223333"}],
                "ProductFields": {"Resources:0/Id": make_arn("web")},
            },
        ],
        ids=["case", "second resource", "product field"],
    )
    def test_named_in_another_way(self, world: World, overrides: dict[str, Any]) -> None:
        """Wherever a suppressed finding names the certificate, it is about it."""
        arrival = world.add_finding(world.add_expired("web").arn)
        suppress(world, "other", **overrides)

        assert outcomes_of(run(world, arrival)) == {arrival.finding.id: Outcome.EXEMPT}

    @pytest.mark.parametrize("resource_id", ["", "a b", "arn:aws:iam::111122223333:user/web"])
    def test_resource_is_not_understood(self, world: World, resource_id: str) -> None:
        """A suppressed finding that may be about any certificate keeps them all."""
        arrivals = add_candidates(world)
        suppress(world, resource_id)

        assert set(outcomes_of(run(world, *arrivals)).values()) == {Outcome.UNVERIFIED}
        assert world.certificates.deleted == []

    def test_finding_is_not_understood(self, world: World) -> None:
        """So does one that cannot be read at all."""
        arrivals = add_candidates(world)
        world.security_hub.unclear_suppressed.append(EventError("finding x is not understood"))

        result = run(world, *arrivals)

        assert set(outcomes_of(result).values()) == {Outcome.UNVERIFIED}
        assert world.account.calls == []

    def test_suppressed_since_it_was_read(self, world: World) -> None:
        """A finding that was suppressed meanwhile is left alone; its twin says why it is kept."""
        certificate = world.add_expired()
        arrivals = [world.add_finding(certificate.arn), world.add_finding(certificate.id)]
        suppress(world, certificate.arn, Id="finding/1")

        assert outcomes_of(run(world, *arrivals)) == {
            "finding/1": Outcome.REFUSED,
            "finding/2": Outcome.EXEMPT,
        }

    @pytest.mark.parametrize(
        ("error", "outcome"),
        [(AwsCallError("GetFindings", "AccessDenied"), Outcome.UNVERIFIED), (THROTTLED, None)],
    )
    def test_cannot_be_read(self, world: World, error: Exception, outcome: Outcome | None) -> None:
        """Where it cannot be known whether somebody accepted the risk, nothing is deleted."""
        arrivals = add_candidates(world)
        world.security_hub.fail("GetFindings (suppressed)", error)

        assert set(outcomes_of(run(world, *arrivals)).values()) == {outcome}
        assert world.certificates.deleted == []

    def test_is_asked_for_candidates_alone(self, world: World) -> None:
        """Where nothing could be deleted, it costs no call."""
        run(world, world.add_finding(make_arn("gone")))
        assert world.security_hub.calls == []


class TestScreen:
    """What is decided before any scan."""

    def test_settings_count(self, world: World) -> None:
        """Grace period and exempt tag are those of the settings."""
        world.settings = Settings(
            mode=Mode.ENFORCE,
            archive_bucket="archive",
            grace_period_days=31,
            exempt_tag_key="keep-me",
        )
        fresh = world.add_expired("fresh")
        tagged = make_certificate(
            "tagged", id="ASCATAGGED00000000001", expiration=NOW - timedelta(days=60)
        )
        world.certificates.put(tagged, {"keep-me": ""})

        result = run(world, world.add_finding(fresh.arn), world.add_finding(tagged.arn))

        assert set(outcomes_of(result).values()) == {Outcome.IN_GRACE_PERIOD, Outcome.EXEMPT}

    def test_gone_and_deleted_by_us(self, world: World) -> None:
        """Of a certificate that is not listed, the archive tells whether we deleted it."""
        world.archive.put(OWN_ACCOUNT, make_record())
        arrival = world.add_finding(make_arn())

        result = run(world, arrival)

        assert outcomes_of(result) == {"finding/1": Outcome.DELETED}
        assert [case.certificate_id for case in result.cases] == [CERTIFICATE_ID]

    @pytest.mark.parametrize("named", ["arn", "id"])
    def test_vanished_since_it_was_listed(self, world: World, named: str) -> None:
        """A certificate without tags to read is gone, as another list shows."""
        certificate = world.add_expired()
        arrival = world.add_finding(getattr(certificate, named))
        world.certificates.before["ListServerCertificateTags"] = world.certificates.stored.clear

        result = run(world, arrival)

        assert outcomes_of(result) == {"finding/1": Outcome.ALREADY_GONE}

    @pytest.mark.parametrize("order", [("arn", "id"), ("id", "arn")])
    def test_renamed_since_it_was_listed(self, world: World, order: tuple[str, str]) -> None:
        """A renamed certificate is retried for each of its findings, in whichever order."""
        certificate = world.add_expired()
        arrivals = [world.add_finding(getattr(certificate, form)) for form in order]
        world.certificates.before["ListServerCertificateTags"] = lambda: world.certificates.rename(
            "example-cert", "example-cert.expired"
        )

        result = run(world, *arrivals)

        assert set(outcomes_of(result).values()) == {None}
        assert len(outcomes_of(result)) == 2

    def test_tags_denied(self, world: World) -> None:
        """Where the tags of one may not be read it is kept, and the other goes."""
        arrivals = add_candidates(world)
        denied = AwsCallError("ListServerCertificateTags", "AccessDenied")
        world.certificates.fail("ListServerCertificateTags", denied)

        result = run(world, *arrivals)

        assert outcomes_of(result) == {
            "finding/1": Outcome.UNVERIFIED,
            "finding/2": Outcome.DELETED,
        }
        assert {case.arn for case in result.cases} == {make_arn("web-1"), make_arn("web-2")}

    def test_untrusted_name(self, world: World) -> None:
        """A finding that names a certificate of another account is unverified, whatever is here."""
        world.add_expired("web")
        arrival = world.add_finding(make_arn("web", account_id=OTHER_ACCOUNT))

        assert outcomes_of(run(world, arrival)) == {"finding/1": Outcome.UNVERIFIED}
        assert world.certificates.deleted == []

    def test_other_partition(self, world: World) -> None:
        """The partition that counts is the one of the accounts that can be reached."""
        world.accounts.partition = "aws-cn"
        [arrival] = add_candidates(world, 1)

        assert outcomes_of(run(world, arrival)) == {"finding/1": Outcome.UNVERIFIED}


class TestAct:
    """What is proven is acted on, each certificate for itself."""

    def test_dry_run(self, world: World) -> None:
        """A dry run tells what would be deleted, and touches nothing."""
        world.settings = Settings(mode=Mode.DRY_RUN, archive_bucket="archive")
        arrivals = add_candidates(world)

        result = run(world, *arrivals)

        assert set(outcomes_of(result).values()) == {Outcome.WOULD_DELETE}
        [first, _] = result.cases
        assert isinstance(first.verdict, Conclusion)
        assert result.scans[0].summary in first.verdict.note
        assert len(world.certificates.stored) == 2
        assert world.archive.versions == []

    def test_without_archive(self, world: World) -> None:
        """Where there is no archive nothing can be deleted."""
        [arrival] = add_candidates(world, 1)
        work = AccountRemediation(
            world.accounts, world.security_hub, None, world.settings, world.clock, Deadline()
        )

        assert outcomes_of(work.run(OWN_ACCOUNT, [arrival])) == {"finding/1": Outcome.WOULD_DELETE}
        assert world.certificates.deleted == []

    @pytest.mark.parametrize(
        ("operation", "error", "outcome"),
        [
            ("DeleteServerCertificate", AwsCallError("D", "AccessDenied"), Outcome.UNVERIFIED),
            ("GetServerCertificate", THROTTLED, None),
            ("GetServerCertificate", RuntimeError("a defect"), None),
        ],
    )
    def test_failing_one_spares_the_other(
        self, world: World, operation: str, error: Exception, outcome: Outcome | None
    ) -> None:
        """What cannot be done to one certificate stands against no other."""
        arrivals = add_candidates(world)
        world.certificates.fail(operation, error)

        assert outcomes_of(run(world, *arrivals)) == {
            "finding/1": outcome,
            "finding/2": Outcome.DELETED,
        }

    def test_findings_about_one_certificate(self, world: World) -> None:
        """Several findings about one certificate are one delete, and each has its outcome."""
        certificate = world.add_expired()
        arrivals = [
            world.add_finding(named) for named in (certificate.arn, certificate.id, "example-cert")
        ]

        result = run(world, *arrivals)

        assert outcomes_of(result) == dict.fromkeys(
            ("finding/1", "finding/2", "finding/3"), Outcome.DELETED
        )
        [case] = result.cases
        assert (case.arn, case.certificate_id) == (certificate.arn, certificate.id)
        assert world.certificates.calls.count("DeleteServerCertificate") == 1


class TestAccountFails:
    """Nothing of an account reaches its caller as an error."""

    @pytest.mark.parametrize("operation", ["AssumeRole", "ListServerCertificates"])
    def test_denied(self, world: World, operation: str) -> None:
        """An account that may not be entered or listed leaves all its findings unverified."""
        arrivals = add_candidates(world)
        world.fail(operation, AwsCallError(operation, "AccessDenied"))

        result = run(world, *arrivals)

        assert set(outcomes_of(result).values()) == {Outcome.UNVERIFIED}
        assert [case.arn for case in result.cases] == [make_arn("web-1"), make_arn("web-2")]
        assert list(result.scans) == []
        assert result.account_id == OWN_ACCOUNT

    @pytest.mark.parametrize("error", [THROTTLED, RuntimeError("a defect")])
    def test_not_answered(self, world: World, error: Exception) -> None:
        """What it cannot answer now is retried whole."""
        arrivals = add_candidates(world)
        world.fail("ListServerCertificates", error)

        assert errors_of(run(world, *arrivals)) == [error, error]


class TestTime:
    """An invocation ends with its report, so work ends before."""

    def test_none_to_begin(self, world: World, stopwatch: Stopwatch) -> None:
        """With no time left an account is not even entered."""
        arrivals = add_candidates(world)
        deadline = Deadline(stopwatch.seconds + REPORT_SECONDS)

        assert set(outcomes_of(run(world, *arrivals, deadline=deadline)).values()) == {None}
        assert world.accounts.calls == []

    def test_is_passed_to_the_scan(self, world: World, stopwatch: Stopwatch) -> None:
        """The scan knows how much time it has."""
        arrivals = add_candidates(world)
        deadline = Deadline(stopwatch.seconds + REPORT_SECONDS + 42)

        run(world, *arrivals, deadline=deadline)

        assert world.account.seconds_left == [42]

    def test_none_after_the_scan(self, world: World, stopwatch: Stopwatch) -> None:
        """When the scan took what was left, nothing is deleted, and the scan still counts."""
        arrivals = add_candidates(world)
        deadline = Deadline(stopwatch.seconds + REPORT_SECONDS + 42)

        def take_long() -> None:
            stopwatch.seconds += 42

        world.account.before["scan"] = take_long

        result = run(world, *arrivals, deadline=deadline)

        assert set(outcomes_of(result).values()) == {None}
        assert world.certificates.deleted == []
        assert len(result.scans) == 1
