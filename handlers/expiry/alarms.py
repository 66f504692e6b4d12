"""One alarm for each certificate: read everything, compare, then write the difference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from handlers.expiry.ports import AcmPort, AlarmsPort, ServerCertificatesPort
from handlers.observability import logger
from models.certificate import ServerCertificate
from models.errors import AwsCallError, TransientError
from models.expiry import (
    Alarm,
    Correction,
    ForeignAlarmError,
    Kind,
    StoredAlarm,
    TooManyAlarmsError,
    compare,
    compose_alarm,
    count_days,
    is_ours,
    split_days,
    watch_acm,
    watch_iam,
)
from models.settings import ExpirySettings, IamCertificates

PREFIXES = tuple(f"{kind}-" for kind in Kind)


class AlarmCounts(TypedDict):
    """How many alarms a run changed, and how many it found as they should be.

    Of two runs at once each may count the same alarm.
    """

    created: int
    corrected: int
    removed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class ExpiryAlarms:
    """What keeps the alarms of one Region.

    Attributes:
        settings: whom to notify, when, and of which certificates.
        acm: the certificates of ACM.
        server_certificates: those of IAM.
        alarms: CloudWatch.
        clock: returns the time in UTC.
    """

    settings: ExpirySettings
    acm: AcmPort
    server_certificates: ServerCertificatesPort
    alarms: AlarmsPort
    clock: Callable[[], datetime]

    def run(self) -> AlarmCounts:
        """Make the alarms what they should be, and return how many changed.

        Everything is read before the first alarm is changed, so that a missing permission to read
        changes none. A repetition goes on where another run ended.

        Raises:
            TooManyAlarmsError: more are needed than are allowed; none was changed.
            ForeignAlarmError: alarms that are not ours have our names; all others were done.
            AwsCallError: a permission is missing, and what follows that call was not done; or
                CloudWatch refused some alarms, and all others were done.
            TransientError: a call was not answered, and what follows it was not done.
        """
        # Alarms first: one that is in this list had a certificate before the certificates are
        # listed, so it never looks stale for having been made in between by another run.
        stored = self.alarms.list_named(PREFIXES)
        now = self.clock()
        servers = self._list_server_certificates()
        # At once, for the alarms that are there need it, whatever fails below.
        alarmed, others = split_days(count_days(servers, now), stored)
        self.alarms.publish_days(alarmed, now)
        changes = compare(self._compose_desired(servers, now), stored)
        corrections, foreign = self._split(changes.drifted)
        stale = [one for one in changes.stale if self._is_ours(one)]
        self.alarms.publish_days(others, now)
        not_created = self._put(changes.missing, "alarm was created")
        not_corrected = self._put(corrections, "alarm was corrected")
        self._remove(stale)
        counts = AlarmCounts(
            created=len(changes.missing) - len(not_created),
            corrected=len(corrections) - len(not_corrected),
            removed=len(stale),
            unchanged=changes.unchanged,
        )
        logger.info("expiry alarms", extra={"alarms": counts})
        if refused := [*not_created, *not_corrected]:
            raise refused[0]
        if foreign:
            raise ForeignAlarmError(one.name for one in foreign)
        return counts

    def _list_server_certificates(self) -> Sequence[ServerCertificate]:
        """Return the server certificates of IAM, if they are in scope."""
        if self.settings.iam_certificates is IamCertificates.DISABLED:
            return ()
        certificates = self.server_certificates.list_all()
        for one in certificates:
            if one.expiration is None:
                logger.error("a certificate has no expiration date", extra={"certificate": one.arn})
        return certificates

    def _compose_desired(
        self, servers: Sequence[ServerCertificate], now: datetime
    ) -> Sequence[Alarm]:
        """Return the alarms that should be there."""
        scope = self.settings.scope
        watched = (*watch_acm(self.acm.list_all(), scope), *watch_iam(servers, now))
        desired = {one.arn: compose_alarm(one, self.settings) for one in watched}
        if len(desired) > self.settings.max_alarms:
            raise TooManyAlarmsError(len(desired), self.settings.max_alarms)
        return tuple(desired.values())

    def _split(self, drifted: Sequence[Correction]) -> tuple[list[Alarm], list[Alarm]]:
        """Return the alarms that are to be set, and those that are somebody else's."""
        corrections: list[Alarm] = []
        foreign: list[Alarm] = []
        for one in drifted:
            # What was removed since it was listed is nobody's any more.
            tags = self.alarms.read_tags(one.stored.arn)
            (corrections if tags is None or is_ours(tags) else foreign).append(one.desired)
        return corrections, foreign

    def _is_ours(self, stored: StoredAlarm) -> bool:
        tags = self.alarms.read_tags(stored.arn)
        return tags is not None and is_ours(tags)

    def _put(self, alarms: Sequence[Alarm], message: str) -> list[AwsCallError]:
        """Set alarms, and return what CloudWatch refused: one must not keep others from being set.

        Raises:
            AwsCallError: a permission is missing, so the others would be refused as well.
            TransientError: a call was not answered.
        """
        refused: list[AwsCallError] = []
        for one in alarms:
            try:
                self.alarms.put(one)
            except (AwsCallError, TransientError) as error:
                logger.error(
                    "alarm was not written", extra={"alarm": one.name, "reason": str(error)}
                )
                if isinstance(error, TransientError) or error.is_denial:
                    raise
                refused.append(error)
            else:
                logger.info(message, extra={"alarm": one.name})
        return refused

    def _remove(self, stale: Sequence[StoredAlarm]) -> None:
        self._delete(stale)
        for one in stale:
            logger.info("alarm was removed", extra={"alarm": one.alarm.name})

    def _delete(self, stale: Sequence[StoredAlarm]) -> None:
        """Delete alarms; what another run has deleted meanwhile is no error."""
        try:
            self.alarms.delete([one.alarm.name for one in stale])
        except AwsCallError:
            # The role may delete what has our tag, and what is gone has none, so that looks like a
            # missing permission.
            left = [one for one in stale if self._is_ours(one)]
            if len(left) == len(stale):
                raise
            self._delete(left)
