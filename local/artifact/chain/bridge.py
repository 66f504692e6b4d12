"""From Security Hub to the bus: what the patched moto emits is put on ministack's bus, in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from local.aws.knobs import HOME_REGION, OWN_ACCOUNT
from local.aws.running import Running

if TYPE_CHECKING:
    from local.aws.server import Aws

RULE = "to-ministack"
PAUSE_SECONDS = 0.05


class Bridge(Running):
    """Carries Security Hub's events for as long as the `with` block runs, and remembers them."""

    def __init__(self, aws: Aws, bus: Any) -> None:
        self.carried: list[dict[str, Any]] = []
        self._sqs = aws.client("sqs")
        self._events = aws.client("events")
        self._bus = bus
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._carry_all, daemon=True)

    def _run(self) -> Iterator[None]:
        self._queue = self._sqs.create_queue(QueueName=RULE)["QueueUrl"]
        self._events.put_rule(Name=RULE, EventPattern='{"source": ["aws.securityhub"]}')
        arn = f"arn:aws:sqs:{HOME_REGION}:{OWN_ACCOUNT}:{RULE}"
        self._events.put_targets(Rule=RULE, Targets=[{"Id": "queue", "Arn": arn}])
        self._thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._thread.join()

    def _carry_all(self) -> None:
        while not self._stopped.wait(PAUSE_SECONDS):
            answer = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                self._carry(json.loads(message["Body"]))
                self._sqs.delete_message(
                    QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"]
                )

    def _carry(self, event: dict[str, Any]) -> None:
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Resources": event["resources"],
            "Detail": json.dumps(event["detail"]),
        }
        answer = self._bus.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"the bus refused an event of Security Hub: {answer['Entries']}")
        self.carried.append(event)
