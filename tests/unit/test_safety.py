"""Safety as a property: whatever the world looks like, no certificate goes without full proof."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from handlers.remediation.cases import Arrival, Postponed, Results
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
    "GetFindings (suppressed)",
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
ID_FORMS = ("arn", "arn-without-path", "arn-with-id", "config", "id", "name")
# What people do to a certificate while an invocation is on its way.
PEOPLE = ("renewed", "replaced", "renamed", "exempted", "deleted")
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
    twin_is_suppressed: bool
    change: str | None


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
        id_form=draw(st.sampled_from(["arn", *ID_FORMS])),
        findings=draw(st.integers(1, 2)),
        status=draw(st.sampled_from([WorkflowStatus.NEW, WorkflowStatus.NOTIFIED])),
        entry_point=draw(st.sampled_from(EntryPoint)),
        compliance=draw(st.sampled_from(["FAILED"] * 6 + ["PASSED"])),
        suppressed_meanwhile=draw(st.sampled_from([False] * 6 + [True])),
        twin_is_suppressed=draw(st.sampled_from([False] * 9 + [True])),
        change=draw(st.sampled_from([None] * 6 + list(PEOPLE))),
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
                make_arn(one.id, "/"),
                one.name,
                "Invalid-Certificate",
                None,
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
        "arn-with-id": make_arn(certificate.id, "/"),
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


def change_world(world: World, draft: Draft) -> bool:
    """Do to a certificate what people do, and return whether it was there."""
    stored = world.certificates.stored
    name = draft.certificate.name
    if name not in stored:
        return False
    files = stored[name]
    match draft.change:
        case "renewed":
            fresh = {"id": f"ASCANEW{name.upper():X>14}", "expiration": NOW + timedelta(days=90)}
            world.certificates.put(files.certificate.model_copy(update=fresh))
        case "replaced":
            other = {"id": f"ASCAOLD{name.upper():X>14}", "expiration": NOW - timedelta(days=500)}
            world.certificates.put(files.certificate.model_copy(update=other))
        case "renamed":
            world.certificates.rename(name, f"{name}.expired")
        case "exempted":
            world.certificates.put(files.certificate, {"IAM26:Keep": "yes"})
        case "deleted":
            del stored[name]
    return True


def is_named(certificate: ServerCertificate, identifier: str | None) -> bool:
    """The rule of the proof, stated independently in the simplest words."""
    if identifier in {certificate.id, certificate.arn, certificate.name}:
        return True
    own_prefix = f"arn:aws:iam::{OWN_ACCOUNT}:server-certificate/"
    last = (identifier or "").rsplit("/", 1)[-1]
    return (identifier or "").startswith(own_prefix) and last in {certificate.name, certificate.id}


def is_unclear(identifier: str | None, certificates: Sequence[ServerCertificate]) -> bool:
    """Return whether a holder that names this may hold any certificate of the account."""
    if identifier is None:
        return True
    if identifier.startswith(("ASCA", "arn:aws:acm:")):
        return False
    return not any(is_named(one, identifier) for one in certificates)


@dataclass
class Scene:
    """A drawn world, with what was drawn.

    Attributes:
        world: the world.
        drafts: its certificates.
        arrivals: the findings that come in.
        changes_at: the number of the call before which people change what they change.
        invokes_again_at: the number of the call before which a second invocation runs to its end.
        changed: the names of the certificates that were there when people changed them.
    """

    world: World
    drafts: list[Draft]
    arrivals: list[Arrival]
    changes_at: int | None = None
    invokes_again_at: int | None = None
    changed: set[str] = field(default_factory=set)

    @property
    def certificates(self) -> list[ServerCertificate]:
        """Return the certificates that were in IAM at first."""
        return [draft.certificate for draft in self.drafts]

    @property
    def has_dangling(self) -> bool:
        """Return whether it is unclear of a live holder which certificate it holds."""
        return any(
            one.live and is_unclear(one.identifier, self.certificates)
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
            and not draft.suppressed_meanwhile
            and not draft.twin_is_suppressed
            and not self.has_dangling
            and not self.world.account.gaps
            and not any(
                is_named(draft.certificate, one.identifier) for one in self.world.account.found
            )
        )

    def run(self) -> Results:
        """Remediate the findings, with what happens meanwhile, and return what became of each."""
        calls = 0
        is_paused = False

        def watch(operation: str) -> None:
            nonlocal calls, is_paused
            if is_paused:
                return
            is_paused = True
            # What happens in the very moment of a delete, nobody can tell from what comes after.
            if operation != "DeleteServerCertificate":
                calls += 1
                if calls == self.changes_at:
                    self.change_all()
                if calls == self.invokes_again_at:
                    self.world.run(*self.arrivals)
            is_paused = False

        self.world.watch(watch)
        return self.world.run(*self.arrivals)

    def change_all(self) -> None:
        """Let people do what they do."""
        self.changed |= {
            draft.certificate.name
            for draft in self.drafts
            if draft.change and change_world(self.world, draft)
        }


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
    scene = Scene(draw(worlds(drawn)), drawn, [])
    if not calm:
        scene.changes_at = draw(st.integers(1, 30))
        scene.invokes_again_at = draw(st.none() | st.integers(1, 30))
        if operation := draw(st.sampled_from([None] * len(OPERATIONS) + list(OPERATIONS))):
            scene.world.fail(operation, draw(st.sampled_from(ERRORS)))
    for draft in drawn:
        for finding in make_findings(draft):
            scene.arrivals.append(make_arrival(finding))
            status = WorkflowStatus.SUPPRESSED if draft.suppressed_meanwhile else draft.status
            put_finding(scene.world, finding, status)
        if draft.twin_is_suppressed:
            twin = make_findings(draft)[0].model_copy(
                update={"id": f"twin/{draft.certificate.name}", "record_state": "ARCHIVED"}
            )
            put_finding(scene.world, twin, WorkflowStatus.SUPPRESSED)
    return scene


def put_finding(world: World, finding: Finding, status: WorkflowStatus) -> None:
    """Put a finding in Security Hub; what waits for a person is ours to work on."""
    fields = {"iam26Outcome": "unverified"} if status is WorkflowStatus.NOTIFIED else {}
    current = {"workflow": Workflow(status=status), "user_defined_fields": fields}
    world.security_hub.put(finding.model_copy(update=current))


@given(scene=scenes())
@settings(
    max_examples=5 * EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    derandomize=True,
)
def test_nothing_is_deleted_without_complete_proof(scene: Scene) -> None:
    """A deleted certificate was proven expired and unused, unchanged, and archived before."""
    scene.run()

    by_id = {draft.certificate.id: draft for draft in scene.drafts}
    for gone in scene.world.certificates.deleted:
        assert scene.world.settings.mode is Mode.ENFORCE
        draft = by_id.get(gone.id)
        if draft is None:
            # It came in the place of another, expired too, before its account was listed.
            assert gone.id.startswith("ASCAOLD")
            continue
        assert scene.is_clean(draft)
        if draft.certificate.name in scene.changed:
            assert draft.change == "renamed"
        archived = [
            record.state
            for _, _, record in scene.world.archive.versions
            if record.files.certificate.id == gone.id
        ]
        assert archived[0] == "deleting"


@given(scene=scenes())
@settings(
    max_examples=5 * EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    derandomize=True,
)
def test_every_word_is_true(scene: Scene) -> None:
    """Whatever a finding says in the end is so, and it says it, unless the message is retried."""
    results = scene.run()

    for draft in scene.drafts:
        for finding in make_findings(draft):
            result = results[finding.key]
            if isinstance(result, Postponed):
                continue
            outcome = result.report.outcome
            event(outcome)
            assert is_true(outcome, finding, draft, scene), outcome
            check_finding(scene.world, finding, outcome)


def is_true(outcome: Outcome, finding: Finding, draft: Draft, scene: Scene) -> bool:
    """Return whether what a finding says is so, as the world stands in the end."""
    deleted = scene.world.certificates.deleted
    stored = [files.certificate for files in scene.world.certificates.stored.values()]
    match outcome:
        case Outcome.DELETED:
            return any(is_meant(finding, draft, one) for one in deleted)
        case Outcome.ALREADY_GONE:
            return not any(is_meant(finding, draft, one) for one in (*deleted, *stored))
        case Outcome.NOT_EXPIRED:
            expiration = draft.certificate.expiration
            return draft.change == "renewed" or (expiration is not None and expiration > NOW)
        case Outcome.EXEMPT:
            return (
                draft.change == "exempted"
                or "iam26:keep" in draft.tags
                or (draft.twin_is_suppressed)
            )
        case Outcome.WOULD_DELETE:
            return scene.world.settings.mode is Mode.DRY_RUN
    return True


def is_meant(finding: Finding, draft: Draft, certificate: ServerCertificate) -> bool:
    """Return whether a certificate is what a finding names: by id, or else by its name."""
    if draft.certificate.id in (finding.resource_id or ""):
        return certificate.id == draft.certificate.id
    return certificate.name == draft.certificate.name


def check_finding(world: World, finding: Finding, outcome: Outcome) -> None:
    """Make sure that a finding says its outcome where people look, unless it is left alone."""
    now = world.security_hub.stored[finding.key]
    if outcome is not Outcome.REFUSED:
        assert now.workflow.status is outcome.workflow_status
        assert now.user_defined_fields["iam26Outcome"] == outcome


@given(scene=scenes(calm=True))
@settings(
    max_examples=5 * EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    derandomize=True,
)
def test_a_clean_candidate_is_deleted(scene: Scene) -> None:
    """Where nothing fails and nothing changes, exactly what nothing keeps is deleted."""
    scene.run()

    for draft in scene.drafts:
        must_go = scene.is_clean(draft) and scene.world.settings.mode is Mode.ENFORCE
        event(f"must go: {must_go}")
        assert (draft.certificate in scene.world.certificates.deleted) is must_go
