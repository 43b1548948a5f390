"""Small houses with one fault each: every rule must find its fault, in its place, and nothing in a clean house."""

import pathlib
import tempfile

CLEAN = {
    "Package.swift": """\
        room("COxBase"),
        room("COxWire", ["COxBase"]),
        room("COxPath", ["COxBase"], libraries: ["sodium"]),
        module("OxModel", []),
        module("OxCore", ["OxModel", "COxBase", "COxWire"]),
        module("OxConfiguration", ["OxModel", .product(name: "TOMLKit", package: "TOMLKit")]),
        module("Oxidize", ["OxModel", "OxCore", "OxConfiguration"]),
""",
    "CSources/COxBase/include/module.modulemap": 'module COxBase {\n    header "../../../include/oxcore/base.h"\n}\n',
    "CSources/COxWire/include/module.modulemap": 'module COxWire {\n    header "../../../include/oxcore/wire.h"\n}\n',
    "CSources/COxPath/include/module.modulemap": 'module COxPath {\n    header "../../../include/oxcore/path.h"\n}\n',
    "include/oxcore/base.h": "#include <stdint.h>\n",
    "include/oxcore/wire.h": '#include "base.h"\n',
    "include/oxcore/path.h": '#include "base.h"\n',
    "CSources/COxWire/wire.c": '#include "oxcore/wire.h"\n#include "frame.h"\n\nint ox_wire(int a) {\n    return a ? \'{\' : 0; /* { no code */\n}\n',
    "Sources/OxModel/Rate.swift": 'public struct Rate {}\nlet text = "unsafe \\(["}"].count) {"  // unsafe\n',
    "Sources/OxCore/Pool.swift": "private import COxWire\nlet pool = unsafe 1\n",
    "Sources/OxConfiguration/Reader.swift": "import TOMLKit\nimport Glibc\n",
    "Sources/Oxidize/Clock.swift": "import OxCore\nlet clock = ContinuousClock()\n",
}


def lines(count, before="", after="", filler="    x();\n"):
    return before + filler * count + after


# (what is wrong, rule, file, line, text of the file)
FAULTS = [
    ("a sibling's header", "c_includes_follow_package", "CSources/COxWire/seal.c", 2, '#include "wire.h"\n#include "oxcore/path.h"\n'),
    ("a higher room's header", "c_includes_follow_package", "include/oxcore/base.h", 1, '#include "wire.h"\n'),
    ("another room's private header", "c_includes_follow_package", "CSources/COxWire/a.c", 1, '#include "../COxPath/ledger.h"\n'),
    ("everything at once", "c_includes_follow_package", "CSources/COxWire/a.c", 1, "#include <oxcore/oxcore.h>\n"),
    ("a header without a room", "headers_have_one_room", "include/oxcore/rs.h", 1, "#include <stdint.h>\n"),
    ("a map with a header of its own", "headers_have_one_room", "CSources/COxPath/include/module.modulemap", 1, 'module COxPath { header "path.h" }\n'),
    ("a cycle", "arrows_go_down", "Package.swift", 1, CLEAN["Package.swift"].replace('room("COxBase")', 'room("COxBase", ["COxPath"])')),
    ("a socket", "system_headers_stay_home", "CSources/COxWire/a.c", 1, "#include <sys/socket.h>\n"),
    ("another room's library", "system_headers_stay_home", "CSources/COxWire/a.c", 1, "#include <sodium.h>\n"),
    ("an import not declared", "swift_imports_follow_package", "Sources/OxModel/a.swift", 1, "import OxCore\n"),
    ("a C room outside the wrapper", "swift_imports_follow_package", "Sources/Oxidize/a.swift", 1, "private import COxWire\n"),
    ("a platform in a pure module", "swift_imports_follow_package", "Sources/OxModel/a.swift", 1, "public import struct Foundation.Date\n"),
    ("a clock in a pure module", "one_clock", "Sources/OxConfiguration/a.swift", 1, "let now = Date()\n"),
    ("a second Swift clock", "one_clock", "Sources/OxCore/a.swift", 1, "let now = ContinuousClock.now\n"),
    ("unsafe outside the wrapper", "unsafe_stays_in_core", "Sources/Oxidize/a.swift", 2, "\nlet a = unsafe b\n"),
    ("a file name", "names_say_something", "CSources/COxWire/fast_path.c", 1, "int x;\n"),
    ("a type name", "names_say_something", "Sources/OxModel/a.swift", 1, "struct SessionManager {\n}\n"),
    ("a C type name", "names_say_something", "CSources/COxWire/a.c", 3, "typedef struct {\n    int a;\n} ox_wire_helper;\n"),
    ("a long file", "files_are_short", "CSources/COxWire/a.c", 801, lines(801, filler="int x;\n")),
    ("a long C function", "functions_are_short", "CSources/COxWire/a.c", 2, lines(100, "\nstatic int f(\n    int a) {\n", "}\n")),
    ("a long Swift function", "functions_are_short", "Sources/OxModel/a.swift", 3, lines(100, "protocol P {\n    func f()\n    func g(\n        a: Int\n    ) throws -> Int {\n", "    }\n}\n")),
    ("a long initializer", "functions_are_short", "Sources/OxModel/a.swift", 2, lines(100, "struct S {\n    init(a: [Int] = []) {\n", "    }\n}\n")),
    ("a mark without a number", "marks_have_a_number", "CSources/COxWire/a.c", 1, "// TODO later\n"),
    ("a tab", "white_space_is_plain", "CSources/COxWire/a.c", 2, "int f(void) {\n\treturn 0;\n}\n"),
    ("white space at the end", "white_space_is_plain", "NOTES.md", 1, "text \n"),
    ("no newline at the end", "white_space_is_plain", "NOTES.md", 1, "text"),
]

ALLOWED = [
    ("a long file with a reason", "CSources/COxWire/a.c", lines(801, "/* Long because the table is one. */\n", filler="int x;\n")),
    ("a mark with a number", "CSources/COxWire/a.c", "// TODO(#12) later\n"),
    ("a mark that is quoted", "NOTES.md", "No `TODO` here\n"),
    ("an input of a fuzz target", "Tests/Fuzz/corpus/x/1.toml", "a = 1 "),
    ("a function at the limit", "CSources/COxWire/a.c", lines(98, "int f(void) {\n", "}\n")),
    ("a long table", "CSources/COxWire/a.c", lines(200, "static const int table[] = {\n", "};\n", "    1,\n")),
    ("an inclusion of the platform by the wrapper", "Sources/OxCore/a.swift", "private import Glibc\n"),
]


def errors_of(check, changes):
    """{rule name: [errors]} for the clean house with these files laid over it."""
    with tempfile.TemporaryDirectory() as directory:
        for path, text in (CLEAN | changes).items():
            file = pathlib.Path(directory, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return {rule.__name__: found.errors for rule, found in check(directory) if found.errors}


def run(check):
    passed, failures = 0, []

    def expect(what, holds, errors):
        nonlocal passed
        if holds:
            passed += 1
        else:
            failures.append(f"not ok: {what}: {errors}")

    errors = errors_of(check, {})
    expect("a clean house", not errors, errors)
    for what, rule, path, line, text in FAULTS:
        errors = errors_of(check, {path: text})
        found = any(error.startswith(f"{path}:{line}: ") for error in errors.get(rule, []))
        expect(f"{rule}: {what}", found and set(errors) == {rule}, errors)
    for what, path, text in ALLOWED:
        errors = errors_of(check, {path: text})
        expect(what, not errors, errors)

    print("".join(f"{failure}\n" for failure in failures), end="")
    print(f"tidy self-test: {passed} passed, {len(failures)} failed")
    return 1 if failures else 0
