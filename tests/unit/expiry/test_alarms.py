"""A run over fakes: the difference is written, once, and only to what is ours."""

from datetime import timedelta

import pytest

from handlers.expiry.alarms import AlarmCounts
from models.errors import AwsCallError, TransientError
from models.expiry import Alarm, ForeignAlarmError, TooManyAlarmsError, compose_alarm, watch_acm
from models.settings import Scope
from tests.builders import NOW, make_certificate
from tests.fakes_expiry import OURS, Region, make_acm, make_acm_arn, make_settings

DENIED = AwsCallError("any call", "AccessDenied")
THROTTLED = TransientError("a call answered Throttling")


@pytest.fixture
def region() -> Region:
    """Return a Region with three imported certificates and no alarm."""
    region = Region()
    region.acm.certificates = [make_acm(number) for number in (1, 2, 3)]
    return region


def counts(
    created: int = 0, corrected: int = 0, removed: int = 0, unchanged: int = 0
) -> AlarmCounts:
    return AlarmCounts(created=created, corrected=corrected, removed=removed, unchanged=unchanged)


def arns(*numbers: int) -> set[str]:
    return {make_acm_arn(number) for number in numbers}


def compose(number: int) -> Alarm:
    """Return the alarm that a certificate should have."""
    [watched] = watch_acm([make_acm(number)], Scope.IMPORTED)
    return compose_alarm(watched, make_settings())


def test_each_certificate_gets_one_alarm_of_ours(region: Region) -> None:
    """A first run creates them all, with our tag."""
    assert region.run() == counts(created=3)

    assert region.alarmed == arns(1, 2, 3)
    assert set(map(str, region.alarms.tags.values())) == {str(OURS)}


def test_a_second_run_writes_nothing(region: Region) -> None:
    """What is as it should be is neither written nor asked for its tags."""
    region.run()
    region.alarms.calls.clear()

    assert region.run() == counts(unchanged=3)
    assert region.alarms.calls == ["DescribeAlarms"]


def test_alarms_follow_the_certificates(region: Region) -> None:
    """The alarm of a certificate that is gone goes, and a new one gets its own."""
    region.run()
    region.acm.certificates = [make_acm(number) for number in (2, 3, 4, 5)]

    assert region.run() == counts(created=2, removed=1, unchanged=2)
    assert region.alarmed == arns(2, 3, 4, 5)


def test_what_was_changed_by_hand_is_set_again(region: Region) -> None:
    """A threshold that somebody lowered is corrected, in that alarm alone."""
    region.run()
    changed = compose(2).model_copy(update={"threshold": 1})
    region.alarms.stored[changed.name] = changed

    assert region.run() == counts(corrected=1, unchanged=2)
    assert region.alarms.stored[changed.name] == compose(2)


def test_the_alarms_of_a_narrower_scope_go(region: Region) -> None:
    """Issued certificates that are no longer in scope lose their alarms."""
    region.acm.certificates.append(make_acm(4, type="AMAZON_ISSUED"))

    assert region.run(scope="All") == counts(created=4)
    assert region.run() == counts(removed=1, unchanged=3)


def test_what_others_made_is_never_touched(region: Region) -> None:
    """An alarm without our tag stays as it is, though its name is like that of one to remove."""
    theirs = compose(9)
    region.alarms.add(theirs, {"team": "payments"})

    assert region.run() == counts(created=3)
    assert region.alarms.stored[theirs.name] == theirs


def test_an_alarm_of_others_under_our_name_is_told_and_left_alone(region: Region) -> None:
    """One error names it, after all others were done."""
    theirs = compose(2).model_copy(update={"threshold": 7})
    region.alarms.add(theirs, {})

    with pytest.raises(ForeignAlarmError, match=theirs.name):
        region.run()

    assert region.alarms.stored[theirs.name] == theirs
    assert region.alarmed == arns(1, 2, 3)


def test_more_alarms_than_allowed_change_nothing(region: Region) -> None:
    """One error says how many are needed, and nothing was written, removed or published."""
    region.alarms.add(compose(9), OURS)

    with pytest.raises(TooManyAlarmsError, match=r"3 certificates .* allows 2 alarms"):
        region.run(max_alarms=2)

    assert not region.alarms.writes
    assert not region.alarms.published
    assert region.run(max_alarms=3) == counts(created=3, removed=1)


def test_a_cap_that_is_lowered_later_takes_no_alarm(region: Region) -> None:
    """What is there stays, however many there are, and the run fails."""
    region.run()
    region.alarms.calls.clear()

    with pytest.raises(TooManyAlarmsError, match=r"3 certificates .* allows 2 alarms"):
        region.run(max_alarms=2)

    assert region.alarmed == arns(1, 2, 3)
    assert not region.alarms.writes


def test_the_cap_counts_certificates_and_not_what_is_there(region: Region) -> None:
    """Alarms that are stale, or somebody else's, take no place of those that are needed."""
    for number, tags in ((7, OURS), (8, OURS), (9, {})):
        region.alarms.add(compose(number), tags)

    assert region.run(max_alarms=3) == counts(created=3, removed=2)
    assert region.alarmed == arns(1, 2, 3, 9)


READS = ["DescribeAlarms", "ListTagsForResource", "ListCertificates", "ListServerCertificates"]


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("error", [DENIED, THROTTLED], ids=["denied", "throttled"])
def test_what_cannot_be_read_changes_nothing(
    region: Region, operation: str, error: Exception
) -> None:
    """Nothing is created, removed or published before everything was read."""
    region.alarms.add(compose(9), OURS)
    for fake in (region.alarms, region.acm, region.iam):
        fake.fail(operation, error)

    with pytest.raises(type(error)):
        region.run(iam_certificates="Enabled")

    assert not region.alarms.writes
    assert not region.alarms.published


@pytest.mark.parametrize("write", range(4))
def test_a_run_goes_on_where_another_was_throttled(region: Region, write: int) -> None:
    """Whichever write fails, the next run does what is left, and nothing twice."""
    region.alarms.add(compose(9), OURS)
    left = [write]

    def fail_late(operation: str) -> None:
        if operation in {"PutMetricAlarm", "DeleteAlarms"}:
            if left[0] == 0:
                raise THROTTLED
            left[0] -= 1

    region.alarms.watchers.append(fail_late)
    with pytest.raises(TransientError):
        region.run()
    assert len(region.alarms.stored) == 1 + write
    region.alarms.watchers.clear()

    assert region.run() == counts(created=3 - write, removed=1, unchanged=write)
    assert region.alarmed == arns(1, 2, 3)


@pytest.mark.parametrize(
    "moment",
    ["DescribeAlarms", "ListCertificates", "ListTagsForResource", "PutMetricAlarm", "DeleteAlarms"],
)
def test_two_runs_at_once_end_right(region: Region, moment: str) -> None:
    """Wherever another run comes in between, every certificate has its alarm, and only one."""
    region.alarms.add(compose(9), OURS)

    def run_another() -> None:
        region.acm.certificates.append(make_acm(4))
        region.run()

    fake = region.acm if moment == "ListCertificates" else region.alarms
    fake.before[moment] = run_another
    region.run()

    assert region.alarmed == arns(1, 2, 3, 4)
    assert region.run() == counts(unchanged=4)


@pytest.mark.parametrize("code", ["ValidationError", "LimitExceeded"])
def test_one_alarm_that_is_refused_keeps_no_other_from_being_set(
    region: Region, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """All others are created, corrected and removed; the log names it, and the run fails."""
    region.run()
    changed = compose(3).model_copy(update={"threshold": 1})
    region.alarms.add(changed, OURS)
    region.alarms.add(compose(9), OURS)
    region.acm.certificates.extend([make_acm(4), make_acm(5)])
    region.alarms.fail("PutMetricAlarm", AwsCallError("PutMetricAlarm", code))

    with pytest.raises(AwsCallError, match=f"PutMetricAlarm answered {code}"):
        region.run()

    assert region.alarmed == arns(1, 2, 3, 5)
    assert region.alarms.stored[changed.name] == compose(3)
    [refused] = [one for one in caplog.records if one.levelname == "ERROR"]
    assert vars(refused)["alarm"] == compose(4).name
    assert vars(caplog.records[-1])["alarms"] == counts(
        created=1, corrected=1, removed=1, unchanged=2
    )
    assert region.run() == counts(created=1, unchanged=4)


def test_a_refusal_is_told_before_an_alarm_of_others(region: Region) -> None:
    """Neither hides that all the rest was done."""
    theirs = compose(2).model_copy(update={"threshold": 7})
    region.alarms.add(theirs, {})
    region.alarms.fail("PutMetricAlarm", AwsCallError("PutMetricAlarm", "ValidationError"))

    with pytest.raises(AwsCallError, match="ValidationError"):
        region.run()

    assert region.alarmed == arns(2, 3)
    assert region.alarms.stored[theirs.name] == theirs


def test_an_alarm_that_is_refused_its_correction_is_not_counted(
    region: Region, caplog: pytest.LogCaptureFixture
) -> None:
    """The counts in the log are of what was done."""
    region.run()
    region.alarms.add(compose(3).model_copy(update={"threshold": 1}), OURS)
    region.alarms.fail("PutMetricAlarm", AwsCallError("PutMetricAlarm", "ValidationError"))

    with pytest.raises(AwsCallError):
        region.run()

    assert vars(caplog.records[-1])["alarms"] == counts(unchanged=2)


def test_the_log_names_each_alarm_and_what_became_of_it(
    region: Region, caplog: pytest.LogCaptureFixture
) -> None:
    """Created, corrected, removed or refused: one line each, and the counts at the end."""
    region.run()
    region.acm.certificates = [make_acm(number) for number in (1, 2, 4, 5)]
    region.alarms.add(compose(2).model_copy(update={"threshold": 1}), OURS)
    region.alarms.fail("PutMetricAlarm", AwsCallError("PutMetricAlarm", "ValidationError"))
    caplog.clear()

    with pytest.raises(AwsCallError):
        region.run()

    told = [
        (one.message, vars(one).get("alarm"), vars(one).get("reason")) for one in caplog.records
    ]
    assert told == [
        ("alarm was not written", compose(4).name, "PutMetricAlarm answered ValidationError"),
        ("alarm was created", compose(5).name, None),
        ("alarm was corrected", compose(2).name, None),
        ("alarm was removed", compose(3).name, None),
        ("expiry alarms", None, None),
    ]
    assert vars(caplog.records[-1])["alarms"] == counts(
        created=1, corrected=1, removed=1, unchanged=1
    )


def test_a_certificate_of_unknown_expiry_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Its alarm gets no days, which somebody must know."""
    region = Region()
    certificate = make_certificate("web", expiration=None)
    region.iam.put(certificate)

    assert region.run(iam_certificates="Enabled") == counts(created=1)
    assert not region.alarms.published
    told = [(one.message, vars(one)["certificate"]) for one in caplog.records[:1]]
    assert told == [("a certificate has no expiration date", certificate.arn)]
    assert caplog.records[0].levelname == "ERROR"


def test_a_missing_permission_is_asked_for_once(region: Region) -> None:
    """It regards every alarm, so no other is tried in vain."""
    region.alarms.fail("PutMetricAlarm", *[DENIED] * 3)

    with pytest.raises(AwsCallError):
        region.run()

    assert region.alarms.calls.count("PutMetricAlarm") == 1
    assert not region.alarms.stored


def test_what_another_run_deleted_is_no_error(
    region: Region, caplog: pytest.LogCaptureFixture
) -> None:
    """The others of the call are deleted, though the role may not touch what has no tag."""
    for number in (7, 8, 9):
        region.alarms.add(compose(number), OURS)
    region.alarms.before["DeleteAlarms"] = lambda: region.alarms.delete([compose(8).name])

    assert region.run() == counts(created=3, removed=3)
    assert region.alarmed == arns(1, 2, 3)
    removed = [vars(one)["alarm"] for one in caplog.records if one.message == "alarm was removed"]
    assert removed == [compose(number).name for number in (7, 8, 9)]


def test_a_missing_permission_to_delete_is_an_error(region: Region) -> None:
    """Where all alarms are still there, nobody else has deleted them."""
    region.alarms.add(compose(8), OURS)
    region.alarms.add(compose(9), OURS)
    region.alarms.fail("DeleteAlarms", DENIED)

    with pytest.raises(AwsCallError, match="AccessDenied"):
        region.run()

    assert region.alarms.calls.count("DeleteAlarms") == 1
    assert region.alarmed == arns(1, 2, 3, 8, 9)


def test_an_alarm_that_vanished_is_made_anew(region: Region) -> None:
    """One that drifted and was removed since it was listed is nobody else's."""
    region.run()
    changed = compose(2).model_copy(update={"threshold": 1})
    region.alarms.stored[changed.name] = changed
    region.alarms.before["ListTagsForResource"] = lambda: region.alarms.delete([changed.name])

    assert region.run() == counts(corrected=1, unchanged=2)
    assert region.alarms.stored[changed.name] == compose(2)


def test_certificates_of_iam_get_metric_and_alarm() -> None:
    """Each that is still valid is published and watched, and one that has expired is not."""
    region = Region()
    valid = make_certificate("web", expiration=NOW.replace(year=NOW.year + 1))
    region.iam.put(valid)
    region.iam.put(make_certificate("old"))

    assert region.run(iam_certificates="Enabled") == counts(created=1)

    assert region.alarmed == {valid.arn}
    assert region.alarms.published == [({valid.arn: 365}, NOW)]


@pytest.mark.parametrize(
    "trouble", ["ListCertificates", "ListTagsForResource", "PutMetricAlarm", "cap"]
)
def test_the_alarms_of_iam_go_on_working_whatever_fails(trouble: str) -> None:
    """They see what this function publishes, so that comes before all that can go wrong."""
    region = Region()
    valid = make_certificate("web", expiration=NOW + timedelta(days=45))
    region.iam.put(valid)
    region.run(iam_certificates="Enabled")
    region.alarms.published.clear()
    region.iam.put(make_certificate("new", expiration=NOW + timedelta(days=90)))
    region.acm.certificates = [make_acm(1)]
    region.alarms.add(compose(9), OURS)
    for fake in (region.alarms, region.acm):
        fake.fail(trouble, DENIED)

    with pytest.raises((AwsCallError, TooManyAlarmsError)):
        region.run(iam_certificates="Enabled", max_alarms=1 if trouble == "cap" else 500)

    assert region.alarms.published[0] == ({valid.arn: 45}, NOW)
    assert len(region.alarms.published) == (2 if trouble == "PutMetricAlarm" else 1)


def test_certificates_of_iam_are_left_out_by_default() -> None:
    """In every Region but one nobody looks at them."""
    region = Region()
    region.iam.put(make_certificate(expiration=NOW.replace(year=NOW.year + 1)))

    assert region.run() == counts()
    assert not region.iam.calls
    assert not region.alarms.published


def test_the_alarm_ends_when_the_remediation_begins() -> None:
    """Once a certificate of IAM has expired, its alarm goes."""
    region = Region()
    certificate = make_certificate(expiration=NOW.replace(year=NOW.year + 1))
    region.iam.put(certificate)
    region.run(iam_certificates="Enabled")
    region.clock.advance(days=366)

    assert region.run(iam_certificates="Enabled") == counts(removed=1)
