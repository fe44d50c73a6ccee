"""What callers are told when the operating system, or the path itself, says no."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from firefly.errors import DeclaredError, Denied, GlowError, InvalidArgument
from firefly.interfaces.filesystem import (
    BadPath,
    Exists,
    FileSystemServer,
    NoSpace,
    NotAFile,
    NotAFolder,
    NotEmpty,
    NotFound,
    ReadOnly,
)
from processes.filesystem.paths import Refused
from processes.filesystem.tree import LINK

_DECLARED = {method.name: frozenset(method.errors.values()) for method in FileSystemServer.methods}

# The first that the method declares is raised; what no method has a better word for becomes a BadPath with a reason.
_ERRORS: dict[int, tuple[type[DeclaredError], ...]] = {
    errno.ENOENT: (NotFound,),
    errno.ENOTDIR: (NotAFolder, NotFound),
    errno.EISDIR: (NotAFile,),
    errno.EEXIST: (Exists,),
    errno.ENOTEMPTY: (NotEmpty, Exists),
    errno.EROFS: (ReadOnly,),
    errno.ENOSPC: (NoSpace,),
    errno.EDQUOT: (NoSpace,),
    errno.EFBIG: (NoSpace,),
}
_REASONS = {
    errno.ELOOP: LINK,
    errno.ENAMETOOLONG: "a name in it is too long for this disk",
    errno.EILSEQ: "this disk cannot store a name in it",
    errno.ENOTDIR: "a part of it is not a folder",
    errno.EISDIR: "it is not a regular file",
    errno.EEXIST: "something else has that name",
    errno.EINVAL: "this disk does not allow it",
}


def explain(error: OSError | Refused, method: str, path: str) -> GlowError:
    """The error of the interface for one of the operating system; one that `method` declares, or a system error."""
    if isinstance(error, Refused):
        return BadPath(error.path, error.reason)
    number, declared = error.errno or 0, _DECLARED[method]
    if number in (errno.EACCES, errno.EPERM):
        return Denied(
            f"the device does not let this process touch {path!r}",
            cause=error.strerror or "",
            hint="check the owner and the mode of the file on that device",
        )
    if number == errno.EXDEV:
        return InvalidArgument(f"{path!r} is on another disk than its target", hint="copy it, then remove it")
    for kind in _ERRORS.get(number, ()):
        if kind in declared:
            return kind(path)
    if number in _REASONS and BadPath in declared:
        return BadPath(path, _REASONS[number])
    return GlowError(f"{path or 'the shared folder'}: {error.strerror}")


@contextmanager
def explained(method: str, path: str) -> Iterator[None]:
    """Raises what goes wrong in the block as an error that the method's callers know."""
    try:
        yield
    except (OSError, Refused) as error:
        raise explain(error, method, path) from None
