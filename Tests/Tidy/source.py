"""Just enough of C and Swift to read their structure: blanking of comments and strings, and functions with their lines."""

import re


def code_only(text, language):
    """The text with comments and string contents turned to spaces; every line and column stays where it was."""
    out = list(text)
    position = 0
    while position < len(text):
        position = _skip_token(text, position, out, language)
    return "".join(out)


def _blank(out, start, end):
    for index in range(start, min(end, len(out))):
        if out[index] != "\n":
            out[index] = " "


def _skip_token(text, at, out, language):
    """Goes past one character, or past one comment or string, which it blanks."""
    if text.startswith("//", at):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        _blank(out, at, end)
        return end
    if text.startswith("/*", at):
        end = _comment_end(text, at, nested=language == "swift")
        _blank(out, at, end)
        return end
    if language == "swift":
        opening = re.compile(r'(#*)("""|")').match(text, at)
        if opening:
            end = _swift_string_end(text, opening)
            _blank(out, at, end)
            return end
    elif text[at] in "\"'":
        end = _c_string_end(text, at)
        _blank(out, at, end)
        return end
    return at + 1


def _comment_end(text, at, nested):
    depth, position = 1, at + 2
    while position < len(text):
        if text.startswith("*/", position):
            depth, position = depth - 1, position + 2
            if depth == 0:
                return position
        elif nested and text.startswith("/*", position):
            depth, position = depth + 1, position + 2
        else:
            position += 1
    return len(text)


def _c_string_end(text, at):
    position = at + 1
    while position < len(text) and text[position] not in (text[at], "\n"):
        position += 2 if text[position] == "\\" else 1
    return position + 1


def _swift_string_end(text, opening):
    """Past the closing quote; an interpolation may hold strings of its own."""
    hashes, quote = opening.groups()
    closing, interpolation, escape = quote + hashes, "\\" + hashes + "(", "\\" + hashes
    position = opening.end()
    while position < len(text):
        if text.startswith(closing, position):
            return position + len(closing)
        if text.startswith(interpolation, position):
            position = _interpolation_end(text, position + len(interpolation))
        elif text.startswith(escape, position):
            position += len(escape) + 1
        elif quote == '"' and text[position] == "\n":
            return position
        else:
            position += 1
    return len(text)


def _interpolation_end(text, position):
    depth, scratch = 1, list(text)
    while position < len(text) and depth:
        if text[position] in "()":
            depth += 1 if text[position] == "(" else -1
            position += 1
        else:
            position = _skip_token(text, position, scratch, "swift")
    return position


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def functions(text, language):
    """(name, first line, last line) of each function of a text that code_only() has been through."""
    return list(_c_functions(text) if language == "c" else _swift_functions(text))


def _c_functions(text):
    text = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.M)
    depth, segment, signature = 0, 0, None
    for match in re.finditer(r"[{};]", text):
        at, token = match.start(), match.group()
        if token == "{":
            if depth == 0:
                signature = _c_signature(text, segment, at)
            depth += 1
        elif token == "}":
            at_margin = at == 0 or text[at - 1] == "\n"
            depth = 0 if at_margin else max(0, depth - 1)
            if depth == 0:
                if signature:
                    yield signature[0], signature[1], line_of(text, at)
                segment, signature = at + 1, None
        elif depth == 0:
            segment = at + 1


def _c_signature(text, start, brace):
    head = text[start:brace]
    if ")" not in head or head.rstrip().endswith("="):
        return None
    plain = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head, flags=re.S)
    name = re.search(r"(\w+)\s*\(", plain)
    if not name:
        return None
    return name.group(1), line_of(text, start + len(head) - len(head.lstrip()))


SWIFT_FUNCTION = re.compile(
    r"(?<![.\w`])(?:func\s+(`[^`]+`|[^\s(<]+)|(init)[?!]?|(deinit)|(subscript))\s*(?=[<({])"
    r"|(?<![.\w`])var\s+(\w+)\s*:\s*[^={}\n]+(?=\{)"
)
SIGNATURE_GOES_ON = re.compile(r"\s*(\{|->|where\b|async\b|throws\b|rethrows\b)")


def _swift_functions(text):
    for match in SWIFT_FUNCTION.finditer(text):
        brace = _swift_body(text, match.end())
        if brace is None:
            continue
        name = next(group for group in match.groups() if group)
        yield name, line_of(text, match.start()), line_of(text, _matching(text, brace))


def _swift_body(text, position):
    """The opening brace of the body, or None for a requirement of a protocol."""
    depth = 0
    while position < len(text):
        character = text[position]
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif depth == 0 and character == "{":
            return position
        elif depth == 0 and character in "};":
            return None
        elif depth == 0 and character == "\n" and not SIGNATURE_GOES_ON.match(text, position):
            if not text[:position].rstrip().endswith((",", "where", "->")):
                return None
        position += 1
    return None


def _matching(text, brace):
    depth = 0
    for position in range(brace, len(text)):
        if text[position] == "{":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
    return len(text) - 1
