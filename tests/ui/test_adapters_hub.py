import gradio as gr
import pytest

from playground.ui import adapters_hub
from playground.ui.commands import run_command


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """No token, no Space, no leave to go online."""
    for name in ("SPACE_ID", "OAUTH_CLIENT_ID", "HF_TOKEN", "PLAYGROUND_HUB_IMPORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(adapters_hub, "get_token", lambda: None)


def parts(build):
    with gr.Blocks() as page:
        build()
    return [type(block).__name__ for block in page.blocks.values()]


def test_without_a_token_nothing_can_be_pushed(save_tiny_adapter):
    assert not adapters_hub.can_push()
    record = save_tiny_adapter()
    assert "Button" not in parts(lambda: adapters_hub.build_push(record, gr.HTML()))


def test_the_token_of_this_machine_is_used_here_but_never_that_of_a_space(monkeypatch):
    monkeypatch.setattr(adapters_hub, "get_token", lambda: "hf_of_the_owner")
    assert adapters_hub.can_push()
    monkeypatch.setenv("SPACE_ID", "somebody/space")
    assert not adapters_hub.can_push()
    monkeypatch.setenv("OAUTH_CLIENT_ID", "made-up")
    assert adapters_hub.can_push()


def test_a_push_is_private_unless_one_says_otherwise(monkeypatch, save_tiny_adapter):
    monkeypatch.setattr(adapters_hub, "get_token", lambda: "hf_of_the_owner")
    record = save_tiny_adapter()
    with gr.Blocks() as page:
        adapters_hub.build_push(record, gr.HTML())
    (public,) = (block for block in page.blocks.values() if isinstance(block, gr.Checkbox))
    assert public.value is False


def test_the_page_goes_online_only_where_the_settings_allow_it(monkeypatch):
    def build():
        adapters_hub.build_import(None, gr.Textbox(render=False), gr.HTML(), gr.State(), lambda: "")

    assert "Textbox" not in parts(build)
    monkeypatch.setenv("PLAYGROUND_HUB_IMPORT", "1")
    assert "Textbox" in parts(build)


def test_a_visitors_token_reaches_the_command_in_place_of_the_machines(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_owner")
    monkeypatch.setattr("playground.ui.commands.sys.executable", "/usr/bin/env")
    monkeypatch.setattr("playground.ui.commands.PROGRAM", ())
    command = run_command([], {"HF_TOKEN": "hf_of_the_visitor"})
    with pytest.raises(StopIteration) as end:
        next(command)
    assert "HF_TOKEN=hf_of_the_visitor" in end.value.value.splitlines()
