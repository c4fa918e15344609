import pytest

from playground.errors import PlaygroundError
from playground.ui.commands import run_command


def finished(arguments):
    command = run_command(arguments)
    said = []
    try:
        while True:
            said.append(next(command))
    except StopIteration as end:
        return said, end.value


def test_what_a_command_prints_comes_back():
    said, printed = finished(["adapters", "list", "--json"])
    assert said == []
    assert printed.startswith('{"adapters": [')


def test_a_mistake_is_the_commands_own_sentence():
    with pytest.raises(PlaygroundError, match="There is no adapter 'nothing' for the task 'sentiment'"):
        finished(["adapters", "verify", "sentiment/nothing"])


def test_arguments_are_never_read_by_a_shell(tmp_path):
    with pytest.raises(PlaygroundError):
        finished(["adapters", "show", f"sentiment/$(touch {tmp_path / 'made'})"])
    assert not list(tmp_path.glob("made"))
