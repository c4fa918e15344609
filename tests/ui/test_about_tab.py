from playground import access
from playground.engine.startup import EngineLoader
from playground.training import hub_keeper
from playground.ui.about_tab import about


def test_a_copy_on_the_hub_is_told_to_everybody_and_its_state_to_the_owner(monkeypatch):
    loader = EngineLoader("none", "auto")
    assert "Hugging Face Hub" not in about(loader)
    monkeypatch.setenv("PLAYGROUND_RUNS_REPO", "somebody/runs")
    monkeypatch.setattr(hub_keeper, "_said", ["The Hub answered 503 for '<b>'."])
    assert "answered 503 for &#x27;&lt;b&gt;&#x27;" in about(loader)
    with access.acting_as(access.Person("a" * 64)):
        told = about(loader)
    assert "Hugging Face Hub" in told
    assert "503" not in told
