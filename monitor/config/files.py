"""The files of a configuration, the main one and those that it includes: read and parsed."""

from __future__ import annotations

import glob
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.config.faults import MISSING, Faults, Location, ValueRejected
from monitor.config.toml_writer import format_redacted
from monitor.config.validators import list_of, path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INCLUDE: Final = "include"
validate_include = list_of(path, "paths or patterns")

_TOML_ERROR_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file: its path and its parsed TOML."""

    path: Path
    tables: Mapping[str, object]

    @property
    def name(self) -> str:
        """The path as given, or relative to the main file's."""
        return str(self.path)


class ConfigFiles:
    """The files of one configuration, the main one first, then the included ones in the order of the patterns.

    The files of a pattern are in the order of their names. A file that is found twice is read once. ``complete`` is
    false if a file could not be read or parsed: entries that seem to be missing may be in it.
    """

    def __init__(self, main: Path, faults: Faults) -> None:
        self.files: list[ConfigFile] = []
        self.complete = True
        self._faults = faults
        self._seen: set[tuple[int, int]] = set()
        self._read_file(main, "no such file; name another by --config or $MONITOR_CONFIG", "name the file in it")
        if self.files:
            self._read_includes(self.files[0])

    @property
    def main(self) -> ConfigFile:
        """The main file; raises IndexError if it could not be read."""
        return self.files[0]

    def _read_includes(self, main: ConfigFile) -> None:
        location = Location(main.name)
        given = main.tables.get(INCLUDE, [])
        try:
            patterns = validate_include(given)
        except ValueRejected as rejection:
            self._faults.add_rejected(location, INCLUDE, given, rejection)
            self.complete = False
            return
        assert isinstance(patterns, tuple)
        for pattern in patterns:
            found = sorted(glob.glob(pattern, root_dir=main.path.parent, recursive=True))  # noqa: PTH207 - keeps the root apart from the pattern
            if not found:
                self._faults.add(location, INCLUDE, format_redacted(pattern), _no_match_message(pattern))
                self.complete = False
            for name in found:
                self._read_file(
                    main.path.parent / name, "no such file", "name the files in it, by a pattern such as DIR/*.toml"
                )

    def _read_file(self, file: Path, if_missing: str, if_folder: str) -> None:
        location = Location(str(file))
        try:
            identity = file.stat()
            if (identity.st_dev, identity.st_ino) in self._seen:
                return
            self._seen.add((identity.st_dev, identity.st_ino))
            content = file.read_bytes()
        except FileNotFoundError:
            self._add_fault(location, MISSING, if_missing)
        except IsADirectoryError:
            self._add_fault(location, "a folder", if_folder)
        except OSError as error:
            self._add_fault(location, "unreadable", error.strerror or type(error).__name__)
        except ValueError:
            self._add_fault(location, "unreadable", "a path without null characters")
        else:
            self._parse(file, location, content)

    def _parse(self, file: Path, location: Location, content: bytes) -> None:
        text = ""
        try:
            # some editors begin a file with a byte order mark
            text = content.decode("utf-8-sig")
            self.files.append(ConfigFile(file, tomllib.loads(text)))
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            self._add_fault(location, f"line {line}", "not UTF-8 text: save the file as UTF-8")
        except tomllib.TOMLDecodeError as error:
            self._add_fault(location, *_syntax_fault(str(error), text))
        except RecursionError:
            self._add_fault(
                location, "nested too deeply", "tables and lists within each other a few times, not hundreds"
            )
        except ValueError:
            # the only ValueError that is not a TOMLDecodeError
            self._add_fault(location, "a number of thousands of digits", "a shorter one")

    def _add_fault(self, location: Location, value: str, allowed: str) -> None:
        self._faults.add(location, "", value, allowed)
        self.complete = False


def _no_match_message(pattern: str) -> str:
    if glob.has_magic(pattern):
        return "no file matches: correct or remove the pattern"
    return "no such file, relative to the file that names it"


def _syntax_fault(message: str, text: str) -> tuple[str, str]:
    """Return the position and the error of text that is not TOML; never the line itself, which may hold a secret."""
    found = _TOML_ERROR_POSITION.search(message)
    what = _TOML_ERROR_POSITION.sub("", message)
    line = found["line"] if found else None
    column = f", column {found['column']}" if found and line else ""
    return f"line {line or text.count(chr(10)) + 1}{column}", f"not TOML: {what[:1].lower()}{what[1:]}"
