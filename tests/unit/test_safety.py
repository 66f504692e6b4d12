"""Safety as a property: whatever the world looks like, no certificate goes without full proof."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from handlers.remediation.cases import Arrival, Postponed
from handlers.remediation.deadline import Deadline
from models.certificate import ServerCertificate
from models.errors import AwsCallError, TransientError
from models.events import EntryPoint
from models.finding import Compliance, Finding, Resource, Workflow, WorkflowStatus
from models.outcome import Outcome
from models.reference import Gap, Reference
from models.settings import Mode, Settings
from tests.fakes import NOW, OWN_ACCOUNT, World, make_arrival

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
# What other tests draw, a hundred unless it is set: worlds are as many times more various.
EXAMPLES = settings().max_examples
ERRORS = (TransientError("throttled"), AwsCallError("Operation", "AccessDenied"))


@dataclass(frozen=True)
class Draft:
    """One certificate of a drawn world, and what is said about it."""

    certificate: ServerCertificate
    tags: dict[str, str]
    id_form: str
    findings: int
    status: WorkflowStatus
    entry_point: EntryPoint
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
        entry_point=draw(st.sampled_from(EntryPoint)),
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
    """The rule of the proof, stated independently in the simplest words."""
    own_prefix = f"arn:aws:iam::{OWN_ACCOUNT}:server-certificate/"
    return identifier in {certificate.id, certificate.arn} or (
        identifier.startswith(own_prefix) and identifier.rsplit("/", 1)[-1] == certificate.name
    )


def is_unknown_arn(identifier: str, certificates: Sequence[ServerCertificate]) -> bool:
    own_prefix = f"arn:aws:iam::{OWN_ACCOUNT}:server-certificate/"
    return identifier.startswith(own_prefix) and not any(
        is_named(one, identifier) for one in certificates
    )


@dataclass
class Scene:
    """A drawn world, with what was drawn."""

    world: World
    drafts: list[Draft]
    arrivals: list[Arrival]

    @property
    def certificates(self) -> list[ServerCertificate]:
        """Return the certificates that were in IAM at first."""
        return [draft.certificate for draft in self.drafts]

    @property
    def has_dangling(self) -> bool:
        """Return whether a live holder names a certificate that IAM does not have."""
        return any(
            one.live and one.identifier and is_unknown_arn(one.identifier, self.certificates)
            for one in self.world.account.found
        )

    def is_clean(self, draft: Draft) -> bool:
        """Return whether a certificate has nothing that keeps it, stated independently."""
        expiration = draft.certificate.expiration
        return (
            expiration is not None
            and expiration + timedelta(days=GRACE_DAYS) <= NOW
            and "iam26:keep" not in draft.tags
            and draft.compliance == "FAILED"
            and not (
                draft.status is WorkflowStatus.NOTIFIED
                and draft.entry_point is not EntryPoint.CUSTOM_ACTION
            )
            and not draft.suppressed_meanwhile
            and draft.change_before_read is None
            and not self.has_dangling
            and not self.world.account.gaps
            and not any(
                one.identifier is not None and is_named(draft.certificate, one.identifier)
                for one in self.world.account.found
            )
        )


@st.composite
def worlds(draw: st.DrawFn, drawn: Sequence[Draft]) -> World:
    """A world that holds drawn certificates, uses of them, and perhaps gaps."""
    world = World(
        Settings(
            mode=draw(st.sampled_from([Mode.ENFORCE] * 5 + [Mode.DRY_RUN])),
            archive_bucket="archive",
            grace_period_days=GRACE_DAYS,
        )
    )
    for draft in drawn:
        world.certificates.put(draft.certificate, draft.tags)
    holders = references([one.certificate for one in drawn])
    world.account.found = draw(st.lists(holders, max_size=2))
    if draw(st.sampled_from([False] * 6 + [True])):
        world.account.gaps = [Gap(source="AppSync", region="eu-west-1", cause="AccessDenied")]
    return world


@st.composite
def scenes(draw: st.DrawFn, *, calm: bool = False) -> Scene:
    """A world, findings about it, and unless it is calm a failing call and people's changes."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    drawn = [draw(drafts(name)) for name in names]
    if calm:
        drawn = [replace(draft, change_before_read=None) for draft in drawn]
    scene = Scene(draw(worlds(drawn)), drawn, [])
    operation = draw(st.sampled_from([None] * len(OPERATIONS) + list(OPERATIONS)))
    if operation and not calm:
        scene.world.fail(operation, draw(st.sampled_from(ERRORS)))
    for draft in drawn:
        for finding in make_findings(draft):
            scene.arrivals.append(make_arrival(finding, entry_point=draft.entry_point))
            status = WorkflowStatus.SUPPRESSED if draft.suppressed_meanwhile else draft.status
            scene.world.security_hub.put(
                finding.model_copy(update={"workflow": Workflow(status=status)})
            )

    def change_all() -> None:
        for draft in drawn:
            change_world(scene.world, draft)

    if any(draft.change_before_read for draft in drawn):
        scene.world.certificates.before["GetServerCertificate"] = change_all
    return scene


@given(scene=scenes())
@settings(
    max_examples=5 * EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    derandomize=True,
)
def test_nothing_is_deleted_without_complete_proof(scene: Scene) -> None:
    """A deleted certificate was proven expired and unused, unchanged, and archived before."""
    scene.world.remediation.run(scene.arrivals, Deadline())

    drafts_by_name = {draft.certificate.name: draft for draft in scene.drafts}
    for gone in scene.world.certificates.deleted:
        draft = drafts_by_name[gone.name]
        assert scene.world.settings.mode is Mode.ENFORCE
        assert gone.id == draft.certificate.id, "replaced since the lookup"
        assert scene.is_clean(draft)
        archived = [
            record.state
            for _, _, record in scene.world.archive.versions
            if record.files.certificate.id == gone.id
        ]
        assert archived[0] == "deleting"
        assert "kept" not in archived


@given(scene=scenes())
@settings(
    max_examples=3 * EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    derandomize=True,
)
def test_every_finding_leaves_new_unless_refused_or_postponed(scene: Scene) -> None:
    """Whatever comes of a certificate is on its findings, or the message is retried."""
    results = scene.world.remediation.run(scene.arrivals, Deadline())

    for arrival in scene.arrivals:
        result = results[arrival.finding.key]
        if isinstance(result, Postponed) or result.report.outcome is Outcome.REFUSED:
            continue
        now = scene.world.security_hub.stored[arrival.finding.key]
        assert now.workflow.status is result.report.outcome.workflow_status
        assert now.user_defined_fields["iam26Outcome"] == result.report.outcome


@given(scene=scenes(calm=True))
@settings(
    max_examples=5 * EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    derandomize=True,
)
def test_a_clean_candidate_is_deleted(scene: Scene) -> None:
    """Where nothing fails and nothing changes, exactly what nothing keeps is deleted."""
    scene.world.remediation.run(scene.arrivals, Deadline())

    for draft in scene.drafts:
        must_go = scene.is_clean(draft) and scene.world.settings.mode is Mode.ENFORCE
        event(f"must go: {must_go}")
        assert (draft.certificate in scene.world.certificates.deleted) is must_go
