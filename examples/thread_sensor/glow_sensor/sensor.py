# Made from sensor.firefly by `glow idl generate`. Change that file, not this one.
# mypy: disable-error-code="no-any-return"
# ruff: noqa
"""Measures the disk of a device and keeps the readings."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import ClassVar, Final

import msgspec

from firefly import errors, runtime, scalars
from firefly.interfaces import core as _core


class Reading(msgspec.Struct, array_like=True, frozen=True):
    taken: scalars.Timestamp
    free: scalars.u64
    """Bytes."""
    total: scalars.u64


class _NotMountedBody(msgspec.Struct, array_like=True, frozen=True):
    folder: str


class NotMounted(errors.DeclaredError):
    code = 0x01CF4990
    name = "sensor.NotMounted"
    Body = _NotMountedBody

    folder: str

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.folder = folder


class Sensor(_core.Resource):
    """Something that answers sensor.Sensor."""

    proto = "sensor.Sensor"

    async def measure(self) -> Reading:
        """Measures, and keeps the reading."""
        return await self._call(_SENSOR_MEASURE, ())

    def readings(self) -> runtime.ResultStream[Reading]:
        """The readings that are kept, oldest first."""
        return self._stream(_SENSOR_READINGS, ())

    async def restore(self, readings: runtime.Source[Reading]) -> int:
        """Keeps readings that were taken elsewhere, all of them or none; returns how many there were."""
        return await self._call(_SENSOR_RESTORE, (), readings)

    def forget(self, keep: int = 1000) -> Awaitable[None]:
        """Forgets all but the newest readings."""
        return self._notify(_SENSOR_FORGET, (keep,))


class _SensorMeasureArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_SENSOR_MEASURE = runtime.Method(
    "measure",
    "sensor/Sensor.measure",
    0xC1CBBAA0,
    _SensorMeasureArguments,
    result=Reading,
    errors=(NotMounted,),
)


class _SensorReadingsArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_SENSOR_READINGS = runtime.Method(
    "readings",
    "sensor/Sensor.readings",
    0xB8A37EA2,
    _SensorReadingsArguments,
    result_stream=Reading,
)


class _SensorRestoreArguments(msgspec.Struct, array_like=True, frozen=True):
    pass


_SENSOR_RESTORE = runtime.Method(
    "restore",
    "sensor/Sensor.restore",
    0x9F3A19AD,
    _SensorRestoreArguments,
    result=scalars.u64,
    argument_stream=Reading,
)


class _SensorForgetArguments(msgspec.Struct, array_like=True, frozen=True):
    keep: scalars.u32 = 1000


_SENSOR_FORGET = runtime.Method(
    "forget",
    "sensor/Sensor.forget",
    0xA5A22BC0,
    _SensorForgetArguments,
    notify=True,
)


class SensorServer(_core.ResourceServer):
    """Base of every process that serves Sensor; a missing method answers NoSuchMethod."""

    proto = "sensor.Sensor"
    methods: ClassVar[tuple[runtime.Method, ...]] = (
        *_core.ResourceServer.methods,
        _SENSOR_MEASURE,
        _SENSOR_READINGS,
        _SENSOR_RESTORE,
        _SENSOR_FORGET,
    )

    def measure(self) -> runtime.Answer[Reading]:
        """Measures, and keeps the reading."""
        return runtime.missing(_SENSOR_MEASURE)

    def readings(self) -> runtime.Items[Reading]:
        """The readings that are kept, oldest first."""
        return runtime.missing(_SENSOR_READINGS)

    def restore(self, readings: runtime.ArgumentStream[Reading]) -> runtime.Answer[int]:
        """Keeps readings that were taken elsewhere, all of them or none; returns how many there were."""
        return runtime.missing(_SENSOR_RESTORE)

    def forget(self, keep: int) -> runtime.Answer[None]:
        """Forgets all but the newest readings."""
        return runtime.missing(_SENSOR_FORGET)


SCHEMA: Final = rb"""{"format":1,"library":"sensor","doc":"Measures the disk of a device and keeps the readings.","declarations":[
{"kind":"struct","name":"sensor.Reading","fields":[{"name":"taken","type":{"kind":"Timestamp"}},{"name":"free","type":{"kind":"u64"},"doc":"Bytes."},{"name":"total","type":{"kind":"u64"}}]},
{"kind":"error","name":"sensor.NotMounted","code":30362000,"fields":[{"name":"folder","type":{"kind":"String"}}]},
{"kind":"proto","name":"sensor.Sensor","bases":["glow.core.Resource"],"methods":[{"name":"measure","path":"sensor/Sensor.measure","selector":3251354272,"result":{"kind":"Ref","name":"sensor.Reading"},"throws":["sensor.NotMounted"],"doc":"Measures, and keeps the reading."},{"name":"readings","path":"sensor/Sensor.readings","selector":3097722530,"result":{"kind":"Stream","of":[{"kind":"Ref","name":"sensor.Reading"}]},"doc":"The readings that are kept, oldest first."},{"name":"restore","path":"sensor/Sensor.restore","selector":2671385005,"arguments":[{"name":"readings","type":{"kind":"Stream","of":[{"kind":"Ref","name":"sensor.Reading"}]}}],"result":{"kind":"u64"},"doc":"Keeps readings that were taken elsewhere, all of them or none; returns how many there were."},{"name":"forget","path":"sensor/Sensor.forget","selector":2778868672,"arguments":[{"name":"keep","type":{"kind":"u32"},"default":[1000]}],"notify":true,"doc":"Forgets all but the newest readings."}]},
{"kind":"struct","name":"glow.core.Description","doc":"The compiled interface of a resource.","fields":[{"name":"proto","type":{"kind":"String"}},{"name":"schema","type":{"kind":"Bytes"}}]},
{"kind":"proto","name":"glow.core.Resource","doc":"Anything that can be addressed.","methods":[{"name":"describe","path":"glow.core/Resource.describe","selector":3100081636,"result":{"kind":"Ref","name":"glow.core.Description"},"idempotent":true,"doc":"The compiled interface, from which a caller without stubs can build its calls."}]}
]}
"""
Sensor.schema = SCHEMA
SensorServer.schema = SCHEMA
