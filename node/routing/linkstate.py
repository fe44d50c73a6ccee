"""Link-state records as a kind of statement: who may sign one, and what happens when one is kept or gone."""

from collections.abc import Callable, Mapping

from firefly.address import address_of
from firefly.envelope import Envelope
from node.routing.area import Area
from node.routing.record import KIND, RECORD_SIZE, Record, read_record
from node.routing.statements import Certifier, Place, Refusal, Standing, Statement

RECORDS = 2048  # per namespace
LIFETIME = 75 * 60.0  # seconds


class LinkStateRecords:
    """Feeds the areas with the records of certified nodes.

    `own_heard(record, now)` gets records that our own key signed and says whether they are what we say now;
    `restarted(address, instance, now)` is called when a newer record of a node shows another instance.
    """

    name = KIND
    limit = RECORDS
    size = RECORD_SIZE
    lifetime = LIFETIME
    introduces = False

    def __init__(
        self,
        own: bytes,
        areas: Mapping[bytes, Area],
        certified: Certifier,
        own_heard: Callable[[Record, float], bool],
        restarted: Callable[[bytes, bytes, float], None],
    ) -> None:
        self._own = own
        self._areas = areas
        self._certified = certified
        self._own_heard = own_heard
        self._restarted = restarted

    def accept(self, envelope: Envelope, now: float) -> Place | Refusal:
        record = read_record(envelope)
        if record.namespace not in self._areas:
            return Refusal.UNKNOWN_NAMESPACE
        if record.address == self._own and not self._own_heard(record, now):
            return Refusal.OWN
        standing = self._certified(record.namespace, envelope.signer, now)
        if standing is Standing.UNKNOWN:
            return Refusal.UNKNOWN_SIGNER
        if standing is Standing.REFUSED:
            return Refusal.NOT_CERTIFIED
        return Place(record.namespace, record.address, record.sequence)

    def kept(self, statement: Statement, now: float) -> None:
        record = read_record(statement.envelope)
        area = self._areas[record.namespace]
        before = area.records.get(record.address)
        area.put(record, now)
        if before is not None and before.instance != record.instance:
            self._restarted(record.address, record.instance, now)

    def dropped(self, statement: Statement, now: float) -> None:
        area = self._areas.get(statement.place.namespace)
        if area is not None:
            area.discard(address_of(statement.envelope.signer), now)
