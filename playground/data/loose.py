"""JSON as people and programs write it by mistake: Python literals, comments, commas at the end, bare keys."""

import ast
import json
import re

from playground.data.literals import ARRAY

_TOKEN = re.compile(
    r"""
      "(?:[^"\\]|\\.)*"                       # strings
    | '(?:[^'\\]|\\.)*'
    | //[^\n]* | \#[^\n]* | /\*.*?\*/         # comments
    | [A-Za-z_$][\w$.]*                       # words
    | ,(?=\s*(?:(?://|\#)[^\n]*\s*)*[\]})])   # a comma before the end of a list
    | [()]
    | ;
    """,
    re.VERBOSE | re.DOTALL,
)
_ASSIGNMENT = re.compile(
    r"\A(?:\s|//[^\n]*\n|\#[^\n]*\n|/\*.*?\*/)*(?:(?:export\s+default|(?:export\s+)?(?:var|let|const))\s+)?(?:[A-Za-z_$][\w.$]*\s*=(?!=))?\s*(?=[\[{(])",
    re.DOTALL,
)
"""What stands before the value: comments and the name of a variable."""
_CONSTANTS = {"true": "true", "false": "false", "null": "null", "True": "true", "False": "false", "None": "null"}
_NOTHING = {"NaN", "nan", "Infinity", "inf", "undefined"}


def tightened(text: str) -> str:
    """`text` as JSON, as far as its mistakes are of the known kinds; what isn't understood stays as it is."""
    body = _ASSIGNMENT.sub("", text.lstrip("\ufeff"))
    return _TOKEN.sub(_as_json, ARRAY.sub(r"\1", body))


def _as_json(match: re.Match[str]) -> str:
    token = match.group()
    first = token[0]
    if first == '"':
        return token
    if first == "'":
        return json.dumps(_python_string(token))
    if first == "(":
        return "["
    if first == ")":
        return "]"
    if first in "/#,;":
        return ""
    if token in _NOTHING:
        return "null"
    return _CONSTANTS.get(token, json.dumps(token) if _is_key(match) else token)


def _is_key(match: re.Match[str]) -> bool:
    return re.match(r"\s*:", match.string[match.end() : match.end() + 20]) is not None


def _python_string(token: str) -> str:
    try:
        return str(ast.literal_eval(token.replace("\n", "\\n")))
    except (ValueError, SyntaxError):
        return token[1:-1]
