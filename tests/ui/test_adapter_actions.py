"""What the buttons of an adapter's card refuse."""

from pathlib import Path

import gradio as gr

from playground import settings
from playground.adapters import store
from playground.ui import adapter_actions


def test_nothing_is_offered_for_download_beyond_the_room_for_uploads(monkeypatch, tmp_path):
    uploaded = tmp_path / "uploads"
    uploaded.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploaded))
    monkeypatch.setenv("PLAYGROUND_MAX_UPLOADS_MB", "1")
    (uploaded / "rows.csv").write_bytes(b"0" * (settings.MEGABYTE // 2))

    def exported(words, outcome):
        path = Path(words[-1]) / "adapter.zip"
        path.write_bytes(b"0" * size_bytes)
        yield from ()
        return str(path)

    monkeypatch.setattr(adapter_actions, "watched", exported)
    with gr.Blocks() as page:
        outcome, download = gr.HTML(), gr.File()
        adapter_actions.build_export(store.default_adapter("sentiment"), outcome, download)
    (export,) = [event.fn for event in page.fns.values()]
    size_bytes = settings.MEGABYTE // 4
    *_, offered, _ = export("zip")
    assert offered[download].value["orig_name"] == "adapter.zip"
    size_bytes = settings.MEGABYTE // 4 * 3
    *_, refused = export("zip")
    assert download not in refused
    assert "PLAYGROUND_MAX_UPLOADS_MB" in refused[outcome]


def test_what_is_gone_is_said_above_the_cards_when_it_is_to_be_verified(save_tiny_adapter):
    record = save_tiny_adapter(name="lamps")
    with gr.Blocks() as page:
        outcome, notice, revision = gr.HTML(), gr.HTML(), gr.State("")
        adapter_actions.build_check(record, outcome, notice, revision, lambda: "")
    verify = next(event.fn for event in page.fns.values() if event.fn is not None)
    store.remove(record)
    said, *_ = verify()
    assert "lamps" in said[notice]
    assert outcome not in said
