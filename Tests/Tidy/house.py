"""What Package.swift and the module maps say about the house: rooms, modules, headers and who may see whom."""

import pathlib
import re
import subprocess

from source import code_only


class File:
    """One file of the project, read once."""

    LANGUAGES = {".c": "c", ".h": "c", ".swift": "swift"}

    def __init__(self, root, path):
        self.path = pathlib.PurePosixPath(path)
        self.language = self.LANGUAGES.get(self.path.suffix)
        data = (root / path).read_bytes()
        self.text = None if b"\0" in data else data.decode("utf-8", errors="replace")
        self.lines = self.text.splitlines() if self.text is not None else []
        self.code = code_only(self.text, self.language) if self.language and self.text is not None else ""

    @property
    def code_lines(self):
        return self.code.splitlines()

    def within(self, *parts):
        return self.path.parts[: len(parts)] == parts


class House:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = [File(self.root, path) for path in self._paths()]
        manifest = re.sub(r"^\s*//.*$", "", (self.root / "Package.swift").read_text(), flags=re.M)
        self.rooms = self._declared(manifest, "room")
        self.modules = self._declared(manifest, "module") | self._executables(manifest)
        self.owner = {}  # header name -> room
        self.map_errors = []
        self._read_module_maps()

    def _paths(self):
        """Files that are, or are about to be, under version control; in a tree without git, all but what is built."""
        listed = subprocess.run(
            ["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True, text=True,
        )
        if listed.returncode == 0:
            paths = set(listed.stdout.split("\0")) - {""}
        else:
            built = {".git", ".build", ".swiftpm", "build"}
            found = (path.relative_to(self.root) for path in self.root.rglob("*"))
            paths = {str(path) for path in found if not built.intersection(path.parts)}
        return sorted(path for path in paths if (self.root / path).is_file())

    @staticmethod
    def _declared(manifest, function):
        """name -> names of direct dependencies, from calls such as room("COxWire", ["COxBase"])."""
        found = {}
        for match in re.finditer(r'(?<!func )\b' + function + r'\(\s*"(\w+)"\s*(?:,\s*(?=\[))?', manifest):
            found[match.group(1)] = House._names(manifest, match.end())
        return found

    @staticmethod
    def _executables(manifest):
        found = {}
        for match in re.finditer(r'\.executableTarget\(\s*name:\s*"(\w+)"\s*,\s*dependencies:\s*', manifest):
            found[match.group(1)] = House._names(manifest, match.end())
        return found

    @staticmethod
    def _names(manifest, position):
        """The names in the array literal that starts at `position`; those of products are their module's."""
        if position >= len(manifest) or manifest[position] != "[":
            return set()
        depth, end = 0, position
        while end < len(manifest):
            depth += {"[": 1, "]": -1}.get(manifest[end], 0)
            end += 1
            if depth == 0:
                break
        array = re.sub(r'package:\s*"[^"]*"', "", manifest[position:end])
        return set(re.findall(r'"(\w+)"', array))

    def _read_module_maps(self):
        maps = {f.path.parts[1]: f for f in self.files if f.within("CSources") and f.path.name == "module.modulemap"}
        for room in self.rooms:
            if room not in maps:
                self.map_errors.append((f"CSources/{room}/include/module.modulemap", 1, "is missing: every room has its own"))
        for room, module_map in maps.items():
            for number, line in enumerate(module_map.lines, 1):
                header = re.search(r'header\s+"([^"]+)"', line)
                if header:
                    self._claim(room, module_map.path, number, header.group(1))
        for file in self.files:
            if file.within("include", "oxcore") and file.path.name not in self.owner and file.path.name != "oxcore.h":
                self.map_errors.append((file.path, 1, "is in no module map: name it in the map of the room that owns it"))

    def _claim(self, room, path, number, header):
        name = pathlib.PurePosixPath(header).name
        if room not in self.rooms:
            self.map_errors.append((path, number, f"{room} is no room of Package.swift: add room(\"{room}\", ...) there"))
        elif header != f"../../../include/oxcore/{name}":
            self.map_errors.append((path, number, f'a room\'s headers are in include/oxcore: write "../../../include/oxcore/{name}"'))
        elif name in self.owner:
            self.map_errors.append((path, number, f"{name} belongs to {self.owner[name]} already: one header has one room"))
        else:
            self.owner[name] = room
