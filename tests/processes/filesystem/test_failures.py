"""Callers are told of what fails in words that their method declares."""

from __future__ import annotations

import errno
import os

import pytest

from firefly.errors import Denied, GlowError, InvalidArgument
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
from processes.filesystem.failures import explain, explained
from processes.filesystem.paths import Refused


@pytest.mark.parametrize(
    ("method", "number", "expected"),
    [
        ("stat", errno.ENOENT, NotFound),
        ("stat", errno.ENOTDIR, NotFound),
        ("list", errno.ENOTDIR, NotAFolder),
        ("read", errno.EISDIR, NotAFile),
        ("upload", errno.EISDIR, BadPath),
        ("mkdir", errno.EEXIST, Exists),
        ("commit", errno.EEXIST, BadPath),
        ("remove", errno.ENOTEMPTY, NotEmpty),
        ("rename", errno.ENOTEMPTY, Exists),
        ("write", errno.EROFS, ReadOnly),
        ("write", errno.ENOSPC, NoSpace),
        ("upload", errno.EDQUOT, NoSpace),
        ("commit", errno.EFBIG, NoSpace),
        ("stat", errno.ELOOP, BadPath),
        ("stat", errno.ENAMETOOLONG, BadPath),
        ("write", errno.EACCES, Denied),
        ("list", errno.EPERM, Denied),
        ("rename", errno.EXDEV, InvalidArgument),
        ("rename", errno.EINVAL, BadPath),
        ("read", errno.EIO, GlowError),
        ("info", errno.ENOENT, GlowError),
    ],
)
def test_errors_of_the_system(method: str, number: int, expected: type[GlowError]) -> None:
    error = explain(OSError(number, os.strerror(number)), method, "a/b")
    assert type(error) is expected
    assert error.hint or expected is not Denied


@pytest.mark.parametrize("method", FileSystemServer.methods, ids=lambda method: method.name)
def test_no_method_raises_what_it_does_not_declare(method: object) -> None:
    declared = set(method.errors.values())  # type: ignore[attr-defined]
    for number in errno.errorcode:
        error = explain(OSError(number, os.strerror(number)), method.name, "a")  # type: ignore[attr-defined]
        assert type(error) in declared | {Denied, InvalidArgument, GlowError}


def test_a_refused_path_says_why() -> None:
    with pytest.raises(BadPath) as caught, explained("stat", "a"):
        raise Refused("../a", "it has the segment '..'")
    assert (caught.value.path, caught.value.reason) == ("../a", "it has the segment '..'")


def test_what_is_explained_already_stays() -> None:
    with pytest.raises(NotFound) as caught, explained("stat", "outer"), explained("stat", "inner"):
        raise FileNotFoundError(errno.ENOENT, "")
    assert caught.value.path == "inner"
