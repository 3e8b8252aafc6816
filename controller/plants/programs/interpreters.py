"""Which program an interpreter runs, as its command line tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath


@dataclass(frozen=True, slots=True)
class Options:
    """How a family of interpreters reads its options, up to the program.

    After one of `code` stands the program itself, after one of `program` its name, and after
    one of `value` something else. Letters are options that may stand together behind one dash;
    `words` are whole options that take a value, `naming` whole options before the program's name,
    and `orders` are what may be asked for first (`bun run`).
    """

    code: str = ""
    program: str = ""
    value: str = ""
    words: frozenset[str] = frozenset()
    naming: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()


JAVA = Options(
    words=frozenset(
        (
            *("-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path"),
            *("--add-modules", "--add-opens", "--add-exports", "--add-reads", "--patch-module"),
        )
    ),
    naming=frozenset(("-jar", "-m", "--module")),
)
NODE = Options(
    code="ep",
    value="rC",
    words=frozenset(("--require", "--import", "--loader", "--conditions", "--config")),
    orders=frozenset(("run", "exec")),
)
LOADER = Options(
    value="LEsgp",
    words=frozenset(("--library-path", "--preload", "--audit", "--inhibit-rpath", "--argv0")),
)
FAMILIES = (
    (r"(python|pypy)[\d.]*[a-z]?(-dbg)?", Options(code="c", program="m", value="WX")),
    (r"perl[\d.]*", Options(code="eE", value="I")),
    (r"ruby[\d.]*", Options(code="e", value="rICEK")),
    (r"(ba|da|k|mk|pdk|z|a|c|tc|)sh[\d.]*|fish", Options(code="c", value="oO")),
    (r"node(js)?[\d.]*|bun|deno", NODE),
    (r"java", JAVA),
    (r"lua(jit)?[\d.]*", Options(code="e", value="l")),
    (r"php[\d.]*(-cgi)?", Options(code="r", program="f", value="dc")),
    (r"guile[\d.]*", Options(code="c", program="s", value="leLC")),
    (r"tclsh[\d.]*|wish[\d.]*|mono(-sgen)?|dotnet|julia|gjs|escript|racket", NODE),
    (r"ld-(linux|musl)[\w.-]*|ld[\d.-]*\.so[\d.]*", LOADER),
    (r"qemu-(\w*86\w*|arm\w*|aarch64\w*|riscv\w+)(-static)?", LOADER),
    (r"valgrind(\.bin)?|(memcheck|callgrind|helgrind|massif)-[\w-]+|box(64|86)", LOADER),
)
_FAMILIES = tuple((re.compile(pattern), options) for pattern, options in FAMILIES)
WINE = re.compile(r"wine(64)?(-preloader|-stable|-devel|-staging)?")


def is_interpreter(name: str) -> bool:
    """Whether a program of this name runs others."""
    return _options(name) is not None or WINE.fullmatch(name) is not None


def program_of(names: Sequence[str], arguments: Sequence[str]) -> str | None:
    """The program that a process runs, as its command line names it; None for no interpreter.

    `names` are those of its executable, `arguments` its whole command line. None as well where
    the interpreter was given the text of a program, or none.
    """
    if any(map(WINE.fullmatch, names)):
        return next((each for each in arguments if each.lower().endswith(".exe")), None)
    options = next(filter(None, map(_options, names)), None)
    return None if options is None else _named(options, iter(arguments[1:]))


def file_name(path: str) -> str:
    """The last part of a path, of Windows too."""
    return PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name


def _options(name: str) -> Options | None:
    return next((options for pattern, options in _FAMILIES if pattern.fullmatch(name)), None)


def _named(options: Options, arguments: Iterator[str]) -> str | None:
    for each in arguments:
        if each == "-":
            return None
        if each == "--" or each in options.naming:
            return next(arguments, None)
        if each in options.words:
            next(arguments, None)
        elif not each.startswith("-"):
            if each not in options.orders:
                return each
        elif not each.startswith("--"):
            found, is_over = _letters(options, each[1:], arguments)
            if is_over:
                return found
    return None


def _letters(options: Options, letters: str, arguments: Iterator[str]) -> tuple[str | None, bool]:
    """The program that options behind one dash name, if any, and whether it is known by now."""
    for place, letter in enumerate(letters, 1):
        if letter in options.code:
            return None, True
        if letter in options.program:
            return letters[place:] or next(arguments, None), True
        if letter in options.value:
            if not letters[place:]:
                next(arguments, None)
            return None, False
    return None, False
