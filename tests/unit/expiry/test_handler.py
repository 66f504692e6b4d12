"""The entry point: its settings, and what it needs of its environment."""

import re

import pytest

from handlers.expiry_alarms import handler
from handlers.wiring import wire_expiry_alarms
from local.fixtures.context import Context
from models.errors import SettingsError
from models.settings import ExpirySettings, IamCertificates, Scope
from tests.fakes_expiry import TOPIC, Region

ENVIRONMENT = {"AWS_REGION": "us-east-1", "TOPIC_ARN": TOPIC}


def test_the_defaults_are_those_of_the_reference() -> None:
    """With a topic alone, imported certificates page at 45 days, and 500 alarms are the limit."""
    settings = ExpirySettings.from_environment({"TOPIC_ARN": TOPIC})

    assert settings == ExpirySettings(
        topic_arn=TOPIC,
        threshold_days=45,
        issued_threshold_days=30,
        scope=Scope.IMPORTED,
        iam_certificates=IamCertificates.DISABLED,
        max_alarms=500,
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TOPIC_ARN", ""),
        ("TOPIC_ARN", "pagerduty"),
        ("TOPIC_ARN", "arn:aws:sqs:us-east-1:111122223333:queue"),
        ("TOPIC_ARN", f"{TOPIC}.fifo"),
        ("THRESHOLD_DAYS", "0"),
        ("THRESHOLD_DAYS", "366"),
        ("ISSUED_THRESHOLD_DAYS", "soon"),
        ("SCOPE", "Issued"),
        ("IAM_CERTIFICATES", "yes"),
        ("MAX_ALARMS", "0"),
    ],
)
def test_a_wrong_value_is_one_error_that_names_the_variable(variable: str, value: str) -> None:
    """Nothing is guessed where a setting cannot be used, and the message repeats its value."""
    with pytest.raises(SettingsError) as error:
        wire_expiry_alarms(ENVIRONMENT | {variable: value})

    assert re.fullmatch(
        f"{variable}: (is missing|[^;]+, got '{re.escape(value)}')", str(error.value)
    )


def test_a_topic_of_another_region_is_refused() -> None:
    """CloudWatch would refuse every alarm, one by one; here it is one error that says why."""
    with pytest.raises(SettingsError, match=r"TOPIC_ARN: .* which is eu-west-1, got 'arn:aws:sns"):
        wire_expiry_alarms(ENVIRONMENT | {"AWS_REGION": "eu-west-1"})


def test_the_handler_reads_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the event, the settings come from the environment and are checked first."""
    for name, value in (ENVIRONMENT | {"MAX_ALARMS": "many"}).items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match="MAX_ALARMS"):
        handler({"anything": 1}, Context())


@pytest.mark.parametrize(
    "event",
    [None, [], "text", 5, {}, {"id": None}, {"id": ["a"]}, {"region": "eu-west-1", "account": "x"}],
    ids=str,
)
def test_whatever_the_event_the_run_is_the_same(
    event: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of an event is used, so none can be malformed."""
    monkeypatch.setattr("handlers.expiry_alarms.wire_expiry_alarms", lambda _: Region())

    assert handler(event, Context()) == Region().run()
