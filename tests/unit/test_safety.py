"""Safety as a property: whatever the world looks like, no certificate goes without full proof."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from handlers.aws.errors import AwsCallError
from handlers.cases import Arrival, Deadline, Handled, Postponed
from models.certificate import ServerCertificate
from models.errors import TransientError
from models.finding import Compliance, Finding, Resource, Workflow, WorkflowStatus
from models.outcome import Outcome
from models.reference import Gap, Reference
from models.settings import Mode, Settings
from tests.fakes import NOW, OWN_ACCOUNT, World

PRODUCT = "arn:aws:securityhub:us-east-1::product/aws/securityhub"
GRACE_DAYS = 10
NAMES = ("web", "api", "old-web", "shop", "mail")

OPERATIONS = (
    "GetCallerIdentity",
    "AssumeRole",
    "GetFindings",
    "ListServerCertificates",
    "ListServerCertificateTags",
    "scan",
    "GetServerCertificate",
    "PutObject",
    "ListObjectsV2",
    "DeleteServerCertificate",
    "BatchUpdateFindings",
    "Publish",
)


@dataclass(frozen=True)
class Draft:
    """One certificate of a drawn world, and what is said about it."""

    certificate: ServerCertificate
    tags: dict[str, str]
    id_form: str
    findings: int
    status: WorkflowStatus
    compliance: str
    suppressed_meanwhile: bool
    change_before_read: str | None


def make_arn(name: str, path: str) -> str:
    return f"arn:aws:iam::{OWN_ACCOUNT}:server-certificate{path}{name}"


@st.composite
def drafts(draw: st.DrawFn, name: str) -> Draft:
    path = draw(st.sampled_from(["/", "/cloudfront/", "/team/old/"]))
    days = draw(st.sampled_from([-400, -GRACE_DAYS - 1, -GRACE_DAYS, -1, 0, 1, 90]))
    seconds = draw(st.sampled_from([-1, 0, 1]))
    return Draft(
        certificate=ServerCertificate(
            name=name,
            id=f"ASCA{name.upper().replace('-', ''):X>17}",
            arn=make_arn(name, path),
            path=path,
            expiration=draw(
                st.sampled_from([NOW + timedelta(days=days, seconds=seconds)] * 9 + [None])
            ),
        ),
        tags=draw(st.sampled_from([{}, {}, {}, {"team": "web"}, {"iam26:keep": ""}])),
        id_form=draw(st.sampled_from(["arn", "arn", "arn-without-path", "config", "id", "name"])),
        findings=draw(st.integers(1, 2)),
        status=draw(st.sampled_from([WorkflowStatus.NEW, WorkflowStatus.NOTIFIED])),
        compliance=draw(st.sampled_from(["FAILED"] * 6 + ["PASSED"])),
        suppressed_meanwhile=draw(st.sampled_from([False] * 6 + [True])),
        change_before_read=draw(
            st.sampled_from([None] * 6 + ["renewed", "replaced", "exempted", "deleted"])
        ),
    )


@st.composite
def references(draw: st.DrawFn, certificates: Sequence[ServerCertificate]) -> Reference:
    """A holder that names one of the certificates in any way AWS does, or one that is unknown."""
    one = draw(st.sampled_from(certificates))
    identifier = draw(
        st.sampled_from(
            [
                one.arn,
                one.id,
                make_arn(one.name, "/elsewhere/"),
                make_arn("renamed-since", "/"),
                f"arn:aws:acm:us-east-1:{OWN_ACCOUNT}:certificate/abc",
                f"arn:aws:iam::999988887777:server-certificate/{one.name}",
            ]
        )
    )
    return Reference(
        source="Classic Load Balancer",
        region=draw(st.sampled_from(["us-east-1", "eu-west-1"])),
        holder="edge:443",
        identifier=identifier,
        live=draw(st.booleans()),
    )


def name_resource(draft: Draft) -> str:
    certificate = draft.certificate
    return {
        "arn": certificate.arn,
        "arn-without-path": make_arn(certificate.name, "/"),
        "config": f"AWS::IAM::ServerCertificate:{certificate.id}",
        "id": certificate.id,
        "name": certificate.name,
    }[draft.id_form]


def make_findings(draft: Draft) -> list[Finding]:
    return [
        Finding(
            id=f"finding/{draft.certificate.name}/{number}",
            product_arn=PRODUCT,
            account_id=OWN_ACCOUNT,
            created_at=NOW - timedelta(days=1),
            resources=(Resource(id=name_resource(draft)),),
            compliance=Compliance(status=draft.compliance, security_control_id="IAM.26"),
            workflow=Workflow(status=draft.status),
            record_state="ACTIVE",
        )
        for number in range(draft.findings)
    ]


def change_world(world: World, draft: Draft) -> None:
    """Do to a certificate what people do while an invocation is on its way."""
    stored = world.certificates.stored
    name = draft.certificate.name
    if name not in stored:
        return
    files = stored[name]
    match draft.change_before_read:
        case "renewed":
            fresh = {"id": "ASCARENEWED0000000001", "expiration": NOW + timedelta(days=90)}
            world.certificates.put(files.certificate.model_copy(update=fresh))
        case "replaced":
            other = {"id": "ASCAREPLACED000000001", "expiration": NOW - timedelta(days=500)}
            world.certificates.put(files.certificate.model_copy(update=other))
        case "exempted":
            world.certificates.put(files.certificate, {"iam26:keep": "yes"})
        case "deleted":
            del stored[name]


def is_named(certificate: ServerCertificate, identifier: str) -> bool:
    """The rule of the proof, told again in the simplest words."""
    own_prefix = f"arn:aws:iam::{OWN_ACCOUNT}:server-certificate/"
    return identifier in {certificate.id, certificate.arn} or (
        identifier.startswith(own_prefix) and identifier.rsplit("/", 1)[-1] == certificate.name
    )


def is_unknown_arn(identifier: str, certificates: Sequence[ServerCertificate]) -> bool:
    own_prefix = f"arn:aws:iam::{OWN_ACCOUNT}:server-certificate/"
    return identifier.startswith(own_prefix) and not any(
        is_named(one, identifier) for one in certificates
    )


@given(data=st.data())
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
def test_nothing_is_deleted_without_complete_proof(data: st.DataObject) -> None:  # noqa: C901, PLR0912
    """In any world a deleted certificate was proven expired and unused, and archived before."""
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    drawn = [data.draw(drafts(name)) for name in names]
    certificates = [draft.certificate for draft in drawn]
    mode = data.draw(st.sampled_from([Mode.ENFORCE] * 5 + [Mode.DRY_RUN]))
    world = World(
        Settings(mode=mode, archive_bucket="archive", grace_period_days=GRACE_DAYS),
    )
    account = world.account
    account.found = data.draw(st.lists(references(certificates), max_size=2))
    if data.draw(st.sampled_from([False] * 6 + [True])):
        account.gaps = [Gap(source="AppSync", region="eu-west-1", cause="AccessDenied")]
    failures = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(OPERATIONS),
                st.sampled_from(
                    [TransientError("throttled"), AwsCallError("Operation", "AccessDenied")]
                ),
            ),
            max_size=1,
        )
    )
    for operation, error in failures:
        for fake in (
            world.accounts,
            account,
            world.certificates,
            world.security_hub,
            world.archive,
            world.notifications,
        ):
            if not (operation == "scan" and isinstance(error, AwsCallError)):
                fake.fail(operation, error)
    arrivals: list[Arrival] = []
    for draft in drawn:
        world.certificates.put(draft.certificate, draft.tags)
        for finding in make_findings(draft):
            stored = finding
            if draft.suppressed_meanwhile:
                stored = finding.model_copy(
                    update={"workflow": Workflow(status=WorkflowStatus.SUPPRESSED)}
                )
            world.security_hub.put(stored)
            arrivals.append(Arrival(finding, "us-east-1", "event"))

    def change_all() -> None:
        for draft in drawn:
            change_world(world, draft)

    changed = any(draft.change_before_read for draft in drawn)
    if changed:
        world.certificates.before["GetServerCertificate"] = change_all

    results = world.remediation.run(arrivals, Deadline())

    by_name = {draft.certificate.name: draft for draft in drawn}
    dangling = any(
        one.live and is_unknown_arn(one.identifier, certificates) for one in account.found
    )
    for gone in world.certificates.deleted:
        draft = by_name[gone.name]
        assert mode is Mode.ENFORCE
        assert gone.id == draft.certificate.id, "replaced since the lookup"
        assert gone.expiration is not None
        assert gone.expiration + timedelta(days=GRACE_DAYS) <= NOW
        assert "iam26:keep" not in draft.tags
        assert draft.change_before_read is None, "changed before it was read again"
        assert not any(is_named(gone, one.identifier) for one in account.found)
        assert not dangling
        assert not account.gaps
        assert draft.compliance == "FAILED"
        # A finding that could not be refreshed is concluded, never acted upon.
        assert not draft.suppressed_meanwhile
        archived = [
            record
            for _, _, record in world.archive.versions
            if record.files.certificate.id == gone.id
        ]
        assert [record.state for record in archived] == ["deleting"]

    for arrival in arrivals:
        result = results[arrival.finding.key]
        if isinstance(result, Postponed):
            continue
        assert isinstance(result, Handled)
        if result.report.outcome is not Outcome.REFUSED:
            assert world.security_hub.stored[arrival.finding.key].workflow.status is not (
                WorkflowStatus.NEW
            )

    if mode is Mode.ENFORCE and not failures and not account.gaps and not dangling and not changed:
        for draft in drawn:
            is_clean = (
                draft.certificate.expiration is not None
                and draft.certificate.expiration + timedelta(days=GRACE_DAYS) <= NOW
                and "iam26:keep" not in draft.tags
                and draft.compliance == "FAILED"
                and not draft.suppressed_meanwhile
                and not any(is_named(draft.certificate, one.identifier) for one in account.found)
            )
            event(f"clean candidate: {is_clean}")
            assert (draft.certificate in world.certificates.deleted) is is_clean
