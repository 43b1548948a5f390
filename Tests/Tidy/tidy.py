#!/usr/bin/env python3
"""Checks the rules of the house that no compiler checks. `make tidy` runs it; `--self-test` checks the checker.

Package.swift is the one source of truth for who may see whom: its room(...) and module(...) lines are read here.
Each finding names a file, a line and the remedy. Errors fail; warnings only ask for a second look.
"""

import argparse
import pathlib
import re
import sys

sys.dont_write_bytecode = True

from house import House
from source import functions

FILE_WARN, FILE_ERROR = 400, 800
FUNCTION_WARN, FUNCTION_ERROR = 70, 100

# The rooms and modules that a rule makes an exception for.
IO_ROOM = "COxIO"
SAFE_WRAPPER = "OxCore"
PURE_MODULES = {"OxModel", "OxController", "OxCongestion", "OxMultipath", "OxTraffic", "OxConfiguration"}
READS_FILES = {"OxConfiguration"}

IO_HEADERS = re.compile(
    r"(sys/(socket|ioctl|epoll|eventfd|timerfd|signalfd|uio|un|stat|select|syscall|wait)|unistd|fcntl|poll|netdb|liburing|ifaddrs)\.h"
    r"|(arpa|net|netinet|netpacket|linux)/.*"
)
HEADERS_OF_ONE_ROOM = {"sodium.h": "COxCrypto", "sys/mman.h": "COxPacket", "stdio.h": "COxBase"}
C_CLOCK = re.compile(r"\b(clock_gettime|gettimeofday|timespec_get|time|clock)\s*\(")
SWIFT_CLOCK = re.compile(r"\b(ContinuousClock|SuspendingClock|DispatchTime|clock_gettime|gettimeofday|systemUptime)\b|\bDate(\(\)|\.now)")
PLATFORM_IMPORTS = {"Foundation", "FoundationEssentials", "Glibc", "Musl", "Dispatch", "Darwin", "Synchronization", "System"}
BANNED_WORDS = {
    "util", "utils", "utility", "utilities", "common", "helper", "helpers", "manager", "managers", "fast", "advanced",
}
MARKED = re.compile(r"(?<!`)\b(TODO|FIXME|XXX|HACK)\b(?!.*#\d+)")
CODE_SUFFIXES = {".c", ".h", ".swift", ".py", ".sh", ".t", ".pl"}
TEXT_SUFFIXES = CODE_SUFFIXES | {".md", ".in", ".service", ".toml", ".modulemap", ".yml", ".json"}


def is_data(file):
    """Inputs of tests are as they came."""
    return file.within("Tests", "Fuzz", "corpus") or file.within("Tests", "Vectors")


class Findings:
    def __init__(self):
        self.errors, self.warnings = [], []

    def error(self, path, line, text):
        self.errors.append(f"{path}:{line}: error: {text}")

    def warn(self, path, line, text):
        self.warnings.append(f"{path}:{line}: warning: {text}")


# ---- rooms and modules -------------------------------------------------------------------------------------------


def headers_have_one_room(house, found):
    for path, line, text in house.map_errors:
        found.error(path, line, text)


def arrows_go_down(house, found):
    def reaches(start, goal, seen):
        return any(n == goal or (n not in seen and reaches(n, goal, seen | {n})) for n in graph.get(start, ()))

    graph = house.rooms | house.modules
    for name in graph:
        if reaches(name, name, {name}):
            found.error("Package.swift", 1, f"{name} depends on itself in the end: arrows go down only; cut one of them")


def room_of(house, file):
    if file.within("CSources"):
        return file.path.parts[1]
    if file.within("include", "oxcore"):
        return house.owner.get(file.path.name)
    return None


def includes(file):
    for number, line in enumerate(file.lines, 1):
        match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1)


def c_includes_follow_package(house, found):
    for file in house.files:
        room = room_of(house, file)
        if room is None or file.language != "c":
            continue
        for number, include in includes(file):
            name = pathlib.PurePosixPath(include).name
            if name == "oxcore.h":
                found.error(file.path, number, "oxcore.h is for users of the library: include the headers you need")
            elif "COx" in include:
                found.error(file.path, number, "private headers stay in their room: declare what you need in the room's public header")
            elif include in (name, f"oxcore/{name}", f"../../include/oxcore/{name}") and name in house.owner:
                check_arrow(house, found, file, number, room, house.owner[name], name)


def check_arrow(house, found, file, number, room, owner, name):
    if owner != room and owner not in house.rooms.get(room, ()):
        below = ", ".join(sorted(house.rooms.get(room, ()))) or "nothing"
        found.error(
            file.path, number,
            f"{room} must not see {owner} ({name}): Package.swift lets it see {below}. Move the code to the room it"
            f" belongs to, or pass what it needs as an argument",
        )


def system_headers_stay_home(house, found):
    for file in house.files:
        room = room_of(house, file)
        if room is None or file.language != "c":
            continue
        for number, include in includes(file):
            only = HEADERS_OF_ONE_ROOM.get(include)
            if IO_HEADERS.fullmatch(include) and room != IO_ROOM:
                found.error(file.path, number, f"<{include}> outside {IO_ROOM}: only that room makes system calls; ask it through io.h")
            elif only and room not in (only, IO_ROOM):
                found.error(file.path, number, f"<{include}> outside {only}: call {only} instead")


def swift_imports_follow_package(house, found):
    own = set(house.rooms) | set(house.modules)
    for file in house.files:
        if file.language != "swift" or not file.within("Sources") or len(file.path.parts) < 3:
            continue
        module = file.path.parts[1]
        declared = house.modules.get(module, set())
        for number, line in enumerate(file.code_lines, 1):
            match = re.match(r"\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:\w+\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)", line)
            if match:
                check_import(found, file, number, module, match.group(1), own, declared)


def check_import(found, file, number, module, imported, own, declared):
    if imported in own and imported not in declared:
        found.error(file.path, number, f"{module} imports {imported}, which Package.swift does not give it: move the code, or add the arrow there")
    elif imported.startswith("COx") and module != SAFE_WRAPPER:
        found.error(file.path, number, f"only {SAFE_WRAPPER} imports the C rooms: wrap what you need there")
    elif module in PURE_MODULES - READS_FILES and imported not in declared:
        found.error(file.path, number, f"{module} is pure: no {imported} here; take time and randomness as arguments and return effects")
    elif module in PURE_MODULES and imported not in declared | PLATFORM_IMPORTS:
        found.error(file.path, number, f"{module} imports {imported}: declare it in Package.swift, or do without")


def one_clock(house, found):
    for language, tree, pattern in (("c", "CSources", C_CLOCK), ("swift", "Sources", SWIFT_CLOCK)):
        readers = []
        for file in house.files:
            if file.language != language or not file.within(tree):
                continue
            hits = [number for number, line in enumerate(file.code_lines, 1) if pattern.search(line)]
            if hits and language == "swift" and file.path.parts[1] in PURE_MODULES:
                found.error(file.path, hits[0], "a pure module reads a clock: take `now` as an argument")
            elif hits:
                readers.append((file, hits[0]))
        for file, line in readers if len(readers) > 1 else []:
            others = ", ".join(str(other.path) for other, _ in readers if other is not file)
            found.error(file.path, line, f"the clock is read here and in {others}: keep one reader, and take `now` as an argument elsewhere")


def unsafe_stays_in_core(house, found):
    for file in house.files:
        if file.language != "swift" or not file.within("Sources") or file.path.parts[1] == SAFE_WRAPPER:
            continue
        for number, line in enumerate(file.code_lines, 1):
            if re.search(r"\bunsafe\b", line):
                found.error(file.path, number, f"`unsafe` outside {SAFE_WRAPPER}: give {SAFE_WRAPPER} a safe call for it")


# ---- names, lengths, marks ---------------------------------------------------------------------------------------


def words(name):
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]


def names_say_something(house, found):
    type_name = re.compile(r"(?:\b(?:class|struct|enum|protocol|actor|typealias|union)\s+|\}\s*)(\w+)\s*(?=[:;{<=\n])")
    for file in house.files:
        for part in file.path.parts:
            report_banned(found, file, 1, part)
        for number, line in enumerate(file.code_lines, 1):
            for match in type_name.finditer(line):
                report_banned(found, file, number, match.group(1))


def report_banned(found, file, line, name):
    for word in BANNED_WORDS.intersection(words(name)):
        found.error(file.path, line, f"'{name}' says '{word}': name it after the thing of the protocol that it is")


def first_comment(file):
    match = re.match(r'(?:#!.*\n)?\s*(/\*.*?\*/|(?://[^\n]*\n\s*)+|(?:#[^\n]*\n)+|""".*?""")', file.text or "", re.S)
    return match.group(1) if match else ""


def files_are_short(house, found):
    for file in house.files:
        if is_data(file) or file.path.suffix not in CODE_SUFFIXES or len(file.lines) <= FILE_WARN:
            continue
        if len(file.lines) <= FILE_ERROR:
            found.warn(file.path, len(file.lines), f"{len(file.lines)} lines; files are of about {FILE_WARN}: is there a second thing in it?")
        elif "long because" not in first_comment(file).lower():
            found.error(file.path, len(file.lines), f"{len(file.lines)} lines: split it, or say 'long because ...' in its first comment")


def functions_are_short(house, found):
    for file in house.files:
        if not file.language:
            continue
        for name, first, last in functions(file.code, file.language):
            length = last - first + 1
            if length > FUNCTION_ERROR:
                found.error(file.path, first, f"{name} has {length} lines: split it at its steps (the limit is {FUNCTION_ERROR})")
            elif length > FUNCTION_WARN:
                found.warn(file.path, first, f"{name} has {length} lines; functions are of up to about {FUNCTION_WARN}")


def marks_have_a_number(house, found):
    for file in house.files:
        if is_data(file) or file.within("Tests", "Tidy") or file.path.suffix not in TEXT_SUFFIXES:
            continue
        for number, line in enumerate(file.lines, 1):
            match = MARKED.search(line)
            if match:
                found.error(file.path, number, f"{match.group(1)} without the number of what it waits for: do it, or add #N")


def white_space_is_plain(house, found):
    for file in house.files:
        if is_data(file) or file.text is None or (file.path.suffix not in TEXT_SUFFIXES and file.path.name != "Makefile"):
            continue
        for number, line in enumerate(file.lines, 1):
            if file.language and "\t" in line:
                found.error(file.path, number, "tab: indent with four spaces")
            if line != line.rstrip():
                found.error(file.path, number, "white space at the end of the line: remove it")
        if file.text and not file.text.endswith("\n"):
            found.error(file.path, len(file.lines), "no newline at the end of the file: add one")


RULES = [
    headers_have_one_room, arrows_go_down, c_includes_follow_package, system_headers_stay_home,
    swift_imports_follow_package, one_clock, unsafe_stays_in_core, names_say_something, files_are_short,
    functions_are_short, marks_have_a_number, white_space_is_plain,
]


def check(root):
    """[(rule, findings)] for the house at `root`."""
    house = House(root)
    results = []
    for rule in RULES:
        found = Findings()
        rule(house, found)
        results.append((rule, found))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true", help="check the checker on small houses with one fault each")
    parser.add_argument("--quiet", action="store_true", help="no warnings")
    arguments = parser.parse_args()
    if arguments.self_test:
        import selftest
        return selftest.run(check)
    failed = 0
    for rule, found in check(arguments.root):
        for text in found.errors + ([] if arguments.quiet else found.warnings):
            print(text)
        if found.errors:
            failed += 1
            print(f"not ok: {rule.__name__.replace('_', ' ')}: {len(found.errors)} errors")
    print(f"tidy: {len(RULES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
