"""Safety and truth, exhaustively: each single change of the world before each single call.

What is true is decided by this file's own account of the world, not by the code.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from handlers.remediation.cases import Arrival, Handled, Results
from models.archive import ArchiveState
from models.certificate import ServerCertificate
from models.events import EntryPoint
from models.finding import Workflow, WorkflowStatus
from models.outcome import Outcome
from models.settings import Mode, Settings
from tests.builders import NOW, make_reference
from tests.fakes import World, make_arrival

NAME = "example-cert"
TWIN = "finding/twin"
FORMS = {"by ARN": ["{arn}"], "by id": ["{id}"], "by both": ["{arn}", "{id}"]}
# How the findings come in, and whether by the queue.
Entry = tuple[EntryPoint, bool]
ENTRIES: list[Entry] = [*((one, True) for one in EntryPoint), (EntryPoint.IMPORTED, False)]

REFRESH = "GetFindings"
LIST = "ListServerCertificates"
ACCEPTANCE = "GetFindings (suppressed)"
DELETE = "DeleteServerCertificate"
# Nothing tells these from a message that arrives a moment later; SECURITY.md names the limit.
SAME_MOMENT = frozenset({"renew", "replace", "tag", "move"})


@dataclass
class Story:
    """One world with an expired certificate, findings about it, and what happens to them.

    Attributes:
        mode: whether it is a dry run.
        form: how the findings name the certificate.
        entry: how the findings come in, and whether by the queue.
    """

    mode: Mode
    form: str
    entry: Entry
    world: World = field(init=False)
    certificate: ServerCertificate = field(init=False)
    arrivals: list[Arrival] = field(init=False)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = World(Settings(mode=self.mode, archive_bucket="archive-bucket"))
        self.certificate = self.world.add_expired(NAME)
        self.world.certificates.put(
            self.certificate.model_copy(
                update={"name": "valid", "id": "ASCAVALID00000000001", "expiration": LATER}
            )
        )
        named = [
            form.format(arn=self.certificate.arn, id=self.certificate.id)
            for form in FORMS[self.form]
        ]
        entry_point, is_queued = self.entry
        self.arrivals = [
            make_arrival(
                self.world.add_finding(one).finding, entry_point=entry_point, is_queued=is_queued
            )
            for one in named
        ]

    def run(self, change: Callable[["Story"], None] | None = None, before: int = -1) -> Results:
        """Remediate the findings until each has an outcome, with a change before one call.

        Calls that the change makes, such as those of another invocation, do not count.
        """
        is_changing = False

        def watch(operation: str) -> None:
            nonlocal is_changing
            if is_changing:
                return
            if len(self.calls) == before and change:
                is_changing = True
                change(self)
                is_changing = False
            self.calls.append(operation)

        self.world.watch(watch)
        results = self.world.run(*self.arrivals)
        for fake in self.world.fakes:
            fake.watchers.clear()
        for _ in range(3):
            if all(isinstance(one, Handled) for one in results.values()):
                break
            results |= self.world.run(*self.arrivals)
        return results

    @property
    def deleted(self) -> set[str]:
        """The ids of what the application deleted, in whichever invocation."""
        return {one.id for one in self.world.certificates.deleted}

    @property
    def present(self) -> dict[str, str]:
        """The certificates that are there now: names by their ids."""
        stored = self.world.certificates.stored.values()
        return {files.certificate.id: files.certificate.name for files in stored}


LATER = NOW + timedelta(days=90)


def put(story: Story, **changed: object) -> None:
    """Let the certificate be another from now on, if it is still there."""
    stored = story.world.certificates.stored
    if NAME in stored:
        current = stored[NAME].certificate.model_copy(update=changed)
        story.world.certificates.put(current, stored[NAME].tags)


def renew(story: Story) -> None:
    put(story, id="ASCARENEWED0000000001", expiration=LATER)


def replace(story: Story) -> None:
    put(story, id="ASCAREPLACED000000001")


def move(story: Story) -> None:
    put(story, path="/new/", arn=story.certificate.arn.replace("/old/", "/new/"))


def rename(story: Story) -> None:
    if NAME in story.world.certificates.stored:
        story.world.certificates.rename(NAME, "example-cert.expired")


def tag(story: Story) -> None:
    if NAME in story.world.certificates.stored:
        story.world.certificates.put(story.certificate, {"IAM26:Keep": ""})


def delete_by_hand(story: Story) -> None:
    story.world.certificates.stored.pop(NAME, None)


def attach(story: Story) -> None:
    story.world.account.found.append(make_reference(story.certificate.arn))
    story.world.certificates.conflicts[NAME] = "in use by arn:aws:elasticloadbalancing:x"


def detach(story: Story) -> None:
    story.world.account.found.clear()
    story.world.certificates.conflicts.clear()


def set_status(story: Story, status: WorkflowStatus) -> None:
    for arrival in story.arrivals:
        current = story.world.security_hub.stored[arrival.finding.key]
        story.world.security_hub.put(
            current.model_copy(update={"workflow": Workflow(status=status)})
        )


def suppress(story: Story) -> None:
    set_status(story, WorkflowStatus.SUPPRESSED)


def close(story: Story) -> None:
    set_status(story, WorkflowStatus.RESOLVED)


def take(story: Story) -> None:
    set_status(story, WorkflowStatus.NOTIFIED)


def suppress_twin(story: Story) -> None:
    suppressed = {"Workflow": {"Status": "SUPPRESSED"}, "Id": TWIN}
    story.world.add_finding(story.certificate.arn, **suppressed)


def invoke_again(story: Story) -> None:
    story.world.run(*story.arrivals)


CHANGES: dict[str, Callable[[Story], None]] = {
    "nothing": lambda _: None,
    "renew": renew,
    "replace": replace,
    "move": move,
    "rename": rename,
    "tag": tag,
    "delete by hand": delete_by_hand,
    "attach": attach,
    "detach": detach,
    "suppress": suppress,
    "suppress its twin": suppress_twin,
    "close": close,
    "take": take,
    "a second invocation": invoke_again,
}
# Which change alone can make an outcome true that no unchanged world has.
EXPLAINED = {
    Outcome.NOT_EXPIRED: {"renew"},
    Outcome.EXEMPT: {"tag", "suppress", "suppress its twin"},
    Outcome.IN_USE: {"attach", "detach"},
    Outcome.UNVERIFIED: {"replace", "move"},
    Outcome.REFUSED: {"suppress", "close", "take"},
}


def is_true(outcome: Outcome, story: Story, arrival: Arrival, change: str) -> bool:
    """Return whether what a finding says is so, as the world stands."""
    own_id = story.certificate.id
    match outcome:
        case Outcome.DELETED:
            is_by_id = arrival.finding.resource_id == own_id
            return own_id in story.deleted if is_by_id else bool(story.deleted)
        case Outcome.WOULD_DELETE:
            return story.mode is Mode.DRY_RUN
        case Outcome.ALREADY_GONE:
            if arrival.finding.resource_id == own_id:
                return own_id not in story.present.keys() | story.deleted
            ours = {one.name for one in story.world.certificates.deleted}
            return NAME not in {*story.present.values(), *ours}
    return change in EXPLAINED[outcome]


def is_delete_allowed(story: Story, change: str, before: int) -> bool:
    """Return whether a delete rested on complete proof, as far as anyone could know."""
    at_delete = story.calls.index(DELETE)
    if change == "move" and story.form != "by ARN":
        # An id stays wherever the certificate is moved to.
        return True
    if change == "replace" and before <= story.calls.index(LIST):
        # What has the name is expired and unused too, and is all that the finding names.
        return True
    if change in SAME_MOMENT:
        return before >= at_delete
    limit = {
        "attach": at_delete + 1,
        "suppress": story.calls.index(ACCEPTANCE) + 1,
        "suppress its twin": story.calls.index(ACCEPTANCE) + 1,
        "close": story.calls.index(REFRESH) + 1,
        "take": story.calls.index(REFRESH) + 1,
    }.get(change, 0)
    if story.entry[0] is EntryPoint.CUSTOM_ACTION and change in {"close", "take"}:
        return True
    return before >= limit


def check(story: Story, results: Results, change: str, before: int) -> None:
    """Make sure that nothing was deleted without proof, and that every word is true."""
    assert story.mode is Mode.ENFORCE or not story.deleted
    hit_at_delete = before < len(story.calls) and story.calls[before] == DELETE
    if story.deleted and change != "a second invocation" and DELETE in story.calls:
        assert is_delete_allowed(story, change, before)
    if hit_at_delete and change in {"renew", "replace"}:
        # IAM deletes by name, so what came in this moment is gone: see SAME_MOMENT.
        return
    assert len(story.deleted) <= 1
    for arrival in story.arrivals:
        result = results[arrival.finding.key]
        assert isinstance(result, Handled), "still postponed"
        assert is_true(result.report.outcome, story, arrival, change)
        check_finding(story, arrival, result.report.outcome, change, before)
    check_record(story)
    told = [one.text for one in story.world.notifications.published if one.outcome == "deleted"]
    for gone in story.world.certificates.deleted:
        assert any(f"/{gone.name}\n" in text for text in told), "nobody was told"


def check_finding(
    story: Story, arrival: Arrival, outcome: Outcome, change: str, before: int
) -> None:
    """Make sure that a finding says its outcome, and that what people accepted stays so."""
    finding = story.world.security_hub.stored[arrival.finding.key]
    if change == "suppress" and before <= story.calls.index(REFRESH):
        assert finding.workflow.status is WorkflowStatus.SUPPRESSED
    if outcome is Outcome.REFUSED:
        assert "iam26Outcome" not in finding.user_defined_fields
        return
    assert finding.user_defined_fields["iam26Outcome"] == outcome
    if change not in {"suppress", "close", "take"}:
        assert finding.workflow.status is outcome.workflow_status


def check_record(story: Story) -> None:
    """Make sure that the archive claims exactly what the application deleted."""
    newest = {record.files.certificate.id: record for _, _, record in story.world.archive.versions}
    for certificate_id, record in newest.items():
        is_ours = certificate_id in story.deleted
        assert record.state is (ArchiveState.DELETED if is_ours else ArchiveState.KEPT)
    assert story.deleted <= newest.keys()


def begin(mode: Mode, form: str, entry: Entry, change: str) -> Story:
    """Return a story in which a change can happen: only what is attached can be detached."""
    story = Story(mode, form, entry)
    if change == "detach":
        attach(story)
    return story


def count_calls(story: Story) -> int:
    """Return how many calls the path makes if nothing changes."""
    story.run()
    return len(story.calls)


def test_every_change_before_every_call(record_property: Callable[[str, object], None]) -> None:
    """Whatever happens before whichever call, nothing unproven goes, and nothing untrue is said."""
    combinations = 0
    for mode, form, entry, change in itertools.product(Mode, FORMS, ENTRIES, CHANGES):
        for before in range(count_calls(begin(mode, form, entry, change)) + 1):
            story = begin(mode, form, entry, change)
            results = story.run(CHANGES[change], before)
            try:
                check(story, results, change, before)
            except AssertionError as error:
                at = story.calls[before] if before < len(story.calls) else "the end"
                error.add_note(f"{change!r} before {at} (call {before}), {mode}, {form}, {entry}")
                raise
            combinations += 1
    record_property("changes, each before one call: every outcome is true", combinations)
    assert combinations > 1000
