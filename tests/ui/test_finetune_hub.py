"""A dataset of the Hub in the Fine-tune tab, from a small Hub on this machine."""

from pathlib import Path

import gradio as gr
import pytest

from playground import access, settings
from playground.data.reading import read_table
from playground.ui import adapters_hub, finetune_form
from tests.fake_hub import TOKEN, Dataset, fake_hub

ID = "somebody/lamps"
CSV = b"text,label\n" + b"It flickers,quality\nIt came late,delivery\n" * 5


@pytest.fixture
def served(monkeypatch):
    with fake_hub() as found:
        monkeypatch.setattr(adapters_hub, "connect", lambda: found.api(TOKEN))
        monkeypatch.setattr(adapters_hub, "connect_as_nobody", lambda: found.api(None))
        found.datasets[ID] = Dataset({"lamps.csv": CSV})
        yield found


@pytest.fixture
def form(loader, monkeypatch):
    """The form, with its handlers by name."""
    monkeypatch.setenv("PLAYGROUND_HUB_IMPORT", "1")
    monkeypatch.delenv("SPACE_ID", raising=False)
    with gr.Blocks() as page:
        built = finetune_form.build()
        finetune_form.wire(built, loader)
    handlers = {event.name: event.fn for event in page.fns.values()}
    return built, handlers["take_dataset"], handlers["read_dataset"]


def test_the_page_goes_online_only_where_the_settings_allow_it(monkeypatch):
    monkeypatch.delenv("PLAYGROUND_HUB_IMPORT", raising=False)
    with gr.Blocks():
        assert finetune_form.build().hub is None


def test_a_dataset_is_fetched_and_read_like_an_upload(served, form):
    built, take, read = form
    for view in take(f" {ID} "):
        if built.file in view:
            path = view[built.file]
            assert len(read_table(Path(path)).rows) == 10
            assert f"{ID}: 1 file, 0.0 MB." in view[built.hub.outcome]
            name = view[built.hub.fetched]
            shown = {part: value for view in read(path, name) for part, value in view.items()}
    assert name == f"hub:{ID}"
    assert shown[built.named] == (path, name)
    assert shown[built.task] == "classify"
    assert shown[built.name] == "lamps"
    assert not Path(path).exists()


def test_a_run_calls_the_dataset_by_its_name_and_a_later_file_by_its_own(form, tmp_path):
    built, _, _ = form
    path = str(tmp_path / "lamps.csv")
    Path(path).write_bytes(CSV)
    values = [part.value for part in built.choices]
    values[:5] = path, "lamps", "quick", "none", "classify"
    values[5:7] = "text", "label"

    def called(named):
        return built.configured("tiny", [*values[:-1], named]).data_name

    assert called((path, f"hub:{ID}")) == f"hub:{ID}"
    assert called(("elsewhere/lamps.csv", f"hub:{ID}")) == "lamps.csv"
    assert called(("", "")) == "lamps.csv"


@pytest.mark.parametrize(
    ("text", "says"), [("lamps", "looks like owner/name."), ("somebody/nothing", "There is no dataset")]
)
def test_what_can_not_be_fetched_is_said_and_leaves_the_form_as_it_is(served, form, text, says):
    built, take, read = form
    views = list(take(text))
    assert says in "".join(str(view.get(built.hub.outcome, "")) for view in views)
    assert views[0][built.hub.fetched] == ""
    assert not any(built.file in view for view in views)
    assert not any(built.preview in view for view in read("earlier.csv", ""))


def said(form, text):
    built, take, _ = form
    return "".join(str(view.get(built.hub.outcome, "")) for view in take(text))


def test_visitors_do_not_see_what_the_owner_may(served, form, monkeypatch):
    served.datasets[ID].private = True
    assert "1 file" in said(form, ID)
    with access.acting_as(access.Person("a" * 64)):
        assert "There is no dataset" in said(form, ID)
    monkeypatch.setenv("SPACE_ID", "somebody/space")
    assert "There is no dataset" in said(form, ID)


def test_who_may_change_nothing_fetches_nothing(served, form):
    with access.acting_as(access.NOBODY):
        assert "cookie" in said(form, ID)
    assert not served.asked


def test_nothing_is_fetched_while_the_uploads_of_all_take_too_much(served, form, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setenv("PLAYGROUND_MAX_UPLOADS_MB", "1")
    (tmp_path / "rows.csv").write_bytes(b"0" * (settings.MEGABYTE + 1))
    assert "PLAYGROUND_MAX_UPLOADS_MB" in said(form, ID)
    assert not served.asked
