"""Safety as a property, with real requests: no certificate goes without full proof.

The same property as in tests/unit/test_safety.py, but over the whole way from a queue's batch to
AWS's answers, with every source of references in it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from local import in_process
from local.aws import faults
from local.aws.knobs import OWN_ACCOUNT
from local.aws.server import Aws
from local.aws.wire import Recording
from tests.functional.deployment import Deployment, arn_of
from tests.functional.holders import ATTACHMENTS
from tests.functional.page_size import small_pages
from tests.functional.test_errors import HICCUPS, OPERATIONS, REFUSALS, Operation, Story

REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")
GRACE_DAYS = 10

# A name in Beanstalk's settings serves nobody; the load balancer that it made is looked at itself.
LIVE = frozenset({"classic", "alb", "nlb", "sni", "appsync"})
BY_ID = frozenset({"cloudfront", "cloudfront-twin"})


@dataclass(frozen=True)
class Use:
    """Something that holds a certificate."""

    kind: str
    region: str


@dataclass(frozen=True)
class Draft:
    """One certificate of a drawn world, and what happens to it."""

    name: str
    days: float
    path: str
    exempt: bool
    uses: tuple[Use, ...]
    renamed: bool
    id_form: str
    standards: tuple[str, ...]
    suppressed_meanwhile: bool
    changes_before_read: str | None

    @property
    def current_name(self) -> str:
        """The name it has when the invocation begins."""
        return f"{self.name}-renamed" if self.renamed else self.name

    @property
    def is_referenced(self) -> bool:
        """Tell whether something names it by what it is called now."""
        return any(not self.renamed or use.kind in BY_ID for use in self.uses)

    @property
    def leaves_dangling(self) -> bool:
        """Tell whether something live goes on naming it by what it was called before."""
        return self.renamed and any(use.kind in LIVE for use in self.uses)

    @property
    def is_deletable(self) -> bool:
        """Tell whether nothing about the certificate itself keeps it."""
        return (
            self.days <= -GRACE_DAYS
            and not self.exempt
            and not self.is_referenced
            and not self.suppressed_meanwhile
            and self.changes_before_read is None
        )


at_times = st.sampled_from([False, False, True])
rarely = st.sampled_from([False] * 9 + [True])


@st.composite
def drafts(draw: st.DrawFn, name: str) -> Draft:
    # Each by itself keeps a certificate, so each is rare: most worlds have one that must go.
    holders = st.builds(Use, st.sampled_from(list(ATTACHMENTS)), st.sampled_from(REGIONS))
    return Draft(
        name=name,
        days=draw(st.sampled_from([-400] * 6 + [-GRACE_DAYS - 0.01, -GRACE_DAYS + 0.01, -1, 90])),
        path=draw(st.sampled_from(["/", "/cloudfront/", "/team/old/"])),
        exempt=draw(rarely),
        uses=tuple(draw(st.lists(holders, min_size=1, max_size=2)) if draw(at_times) else ()),
        renamed=draw(rarely),
        id_form=draw(st.sampled_from(["arn", "short-arn", "config", "id", "name"])),
        standards=draw(st.sampled_from([("consolidated",), ("cis-3.0",), ("cis-3.0", "cis-5.0")])),
        suppressed_meanwhile=draw(rarely),
        changes_before_read=draw(
            st.sampled_from([None] * 16 + ["renewed", "replaced", "exempted", "deleted"])
        ),
    )


@dataclass(frozen=True)
class Scene:
    """A drawn world: its certificates, the size of its pages, and the call that fails in it."""

    drafts: tuple[Draft, ...]
    page_size: int
    failing: Operation | None
    error: str

    @property
    def has_gap(self) -> bool:
        """Tell whether a proof of anything in this world lacks something."""
        return any(draft.leaves_dangling for draft in self.drafts)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    count = draw(st.integers(1, 4))
    operations = [one for one in OPERATIONS if one.story is Story.CANDIDATE]
    return Scene(
        drafts=tuple(draw(drafts(name)) for name in ("web", "api", "shop", "mail")[:count]),
        page_size=draw(st.sampled_from([1, 100])),
        failing=draw(st.sampled_from([None] * len(operations) + operations)),
        error=draw(st.sampled_from([*REFUSALS, *HICCUPS])),
    )


@dataclass
class World:
    """A scene on the local AWS."""

    scene: Scene
    deployment: Deployment
    ids: dict[str, str] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    events_of: dict[str, list[int]] = field(default_factory=dict)
    # Ids of certificates that took the name of another one, or that somebody else deleted.
    newcomers: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    failure: faults.Injection | None = None

    def build(self) -> None:
        """Create certificates and their uses, rename some, and let Security Hub report them."""
        self.deployment.create()
        self.deployment.configure(GRACE_PERIOD_DAYS=str(GRACE_DAYS))
        for draft in self.scene.drafts:
            self._create(draft)
        for draft in self.scene.drafts:
            self._report(draft)

    def _create(self, draft: Draft) -> None:
        certificate = self.deployment.upload(
            draft.name,
            days=draft.days,
            path=draft.path,
            tags={"iam26:keep": "", "team": "web"} if draft.exempt else {"team": "web"},
        )
        self.ids[draft.name] = certificate["ServerCertificateId"]
        for number, use in enumerate(draft.uses):
            holder = f"{draft.name}-{number}"
            ATTACHMENTS[use.kind](self.client, holder, use.region, certificate)
        if draft.renamed:
            self.iam.update_server_certificate(
                ServerCertificateName=draft.name, NewServerCertificateName=draft.current_name
            )

    def _report(self, draft: Draft) -> None:
        resource_id = {
            "arn": arn_of(draft.current_name, draft.path),
            "short-arn": arn_of(draft.current_name),
            "config": f"AWS::IAM::ServerCertificate:{self.ids[draft.name]}",
            "id": self.ids[draft.name],
            "name": draft.current_name,
        }[draft.id_form]
        for standard in draft.standards:
            reported = self.deployment.report(resource_id, standard=standard)
            if draft.suppressed_meanwhile:
                self.deployment.edit_finding(reported, Workflow={"Status": "SUPPRESSED"})
            self.events_of.setdefault(draft.name, []).append(len(self.events))
            self.events.append(reported)

    @property
    def client(self) -> Any:
        """Return what makes clients of the account."""
        return self.deployment.aws.client

    @property
    def iam(self) -> Any:
        """Return the account's IAM."""
        return self.client("iam")

    def held_ids(self) -> set[str]:
        """Return the ids of the certificates in IAM."""
        pages = self.iam.get_paginator("list_server_certificates").paginate()
        return {
            one["ServerCertificateId"]
            for page in pages
            for one in page["ServerCertificateMetadataList"]
        }

    def change(self, draft: Draft) -> None:
        """Do to a certificate what people do while an invocation is on its way."""
        name = draft.current_name
        match draft.changes_before_read:
            case "exempted":
                tags = [{"Key": "iam26:keep", "Value": ""}]
                self.iam.tag_server_certificate(ServerCertificateName=name, Tags=tags)
                return
            case "renewed":
                days = 90
            case "replaced":
                days = -500
            case _:
                days = 0
        self.iam.delete_server_certificate(ServerCertificateName=name)
        self.removed.add(self.ids[draft.name])
        if days:
            taken = self.deployment.upload(name, days=days, path=draft.path)
            self.newcomers[draft.name] = taken["ServerCertificateId"]

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Let happen what the scene has in store, for as long as the block runs."""
        with ExitStack() as stack:
            for draft in self.scene.drafts:
                if draft.changes_before_read:
                    stack.enter_context(
                        faults.inject(
                            operation="GetServerCertificate",
                            when=_names(draft.current_name),
                            fault=faults.Call(partial(self.change, draft)),
                            times=1,
                        )
                    )
            if self.scene.failing:
                error = self.scene.error
                fault = HICCUPS.get(error) or REFUSALS[error][0]
                self.failure = stack.enter_context(self.scene.failing.fails(fault))
            stack.enter_context(small_pages(self.scene.page_size))
            yield

    @property
    def failed(self) -> str | None:
        """The operation that failed in fact, if any."""
        hit = self.failure is not None and self.failure.hits
        return self.scene.failing.name if hit and self.scene.failing else None


def _names(name: str) -> Any:
    return lambda params: params.get("ServerCertificateName") == name


# Without these the outcome may be told or not, but it stands.
AFTER_THE_ACT = frozenset({"BatchUpdateFindings", "Publish"})


def check_deletions(world: World, calls: Recording) -> None:
    """Hold that every certificate that went was proven expired and unused, and archived before."""
    held = world.held_ids()
    for draft in world.scene.drafts:
        if draft.name in world.newcomers:
            assert world.newcomers[draft.name] in held, "replaced since the lookup"
        identifier = world.ids[draft.name]
        if identifier in held | world.removed:
            continue
        assert draft.is_deletable
        assert not world.scene.has_gap
        assert world.failed in {None, *AFTER_THE_ACT}
        record = f"certificates/{OWN_ACCOUNT}/{draft.current_name}/{identifier}.json"
        assert world.deployment.archive()[record]["state"] == "deleted"
        order = [
            call.operation
            for call in calls
            if call.params.get("Key") == record
            or (
                call.operation == "DeleteServerCertificate"
                and call.params["ServerCertificateName"] == draft.current_name
            )
        ]
        assert order == ["PutObject", "DeleteServerCertificate"]


def check_findings(world: World, returned: list[int]) -> None:
    """Hold that every finding has left NEW, unless it is refused or redelivered."""
    for draft in world.scene.drafts:
        for number in world.events_of[draft.name]:
            finding = world.deployment.finding(world.events[number])
            if number in returned:
                assert finding["Workflow"]["Status"] in {"NEW", "SUPPRESSED"}
                assert "Note" not in finding
            elif draft.suppressed_meanwhile and world.failed != "GetFindings":
                assert finding["Workflow"]["Status"] == "SUPPRESSED"
                assert "Note" not in finding
            else:
                assert finding["Workflow"]["Status"] in {"NOTIFIED", "RESOLVED"}
                assert finding["UserDefinedFields"]["iam26Outcome"]


def check_clean_candidates(world: World) -> None:
    """Hold that what nothing keeps is deleted."""
    if world.failed not in {None, *AFTER_THE_ACT} or world.scene.has_gap:
        return
    held = world.held_ids()
    for draft in world.scene.drafts:
        if draft.is_deletable:
            event("a clean candidate")
            assert world.ids[draft.name] not in held


@pytest.fixture(scope="module")
def shared_aws() -> Iterator[Aws]:
    """One local AWS for all examples, each of which begins with an empty one."""
    with in_process() as aws, faults.skip_backoff():
        yield aws


@given(scene=scenes())
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_nothing_is_deleted_without_complete_proof(shared_aws: Aws, scene: Scene) -> None:
    """Whatever is in an account and fails in it, only what is proven unused goes, archived."""
    shared_aws.reset()
    shared_aws.knobs.enabled_regions = REGIONS
    shared_aws.knobs.guard_certificates_in_use = False
    with pytest.MonkeyPatch.context() as monkeypatch:
        world = World(scene, Deployment(shared_aws, monkeypatch))
        world.build()

        with world.disturbed(), faults.record_calls() as calls:
            returned = world.deployment.handle_batch(*world.events)

        check_deletions(world, calls)
        check_findings(world, returned)
        check_clean_candidates(world)
        event(f"failed: {world.failed}")
