"""The built-in types of the language as Python sees them (docs/concepts/language.md, "Elements").

The bounds are enforced when a value is decoded, and by the runtime before one is sent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

from msgspec import Meta

u8: TypeAlias = Annotated[int, Meta(ge=0, le=2**8 - 1)]
u16: TypeAlias = Annotated[int, Meta(ge=0, le=2**16 - 1)]
u32: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
u64: TypeAlias = Annotated[int, Meta(ge=0)]
"""MessagePack has no integer above it."""
i8: TypeAlias = Annotated[int, Meta(ge=-(2**7), le=2**7 - 1)]
i16: TypeAlias = Annotated[int, Meta(ge=-(2**15), le=2**15 - 1)]
i32: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
i64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Id: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=16)]
Timestamp: TypeAlias = Annotated[datetime, Meta(tz=True)]
"""Aware: a time without a zone is refused."""
