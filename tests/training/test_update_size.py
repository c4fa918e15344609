import pytest
import torch

from playground.adapters.card import card, update_words
from playground.training.finetune import finetune
from playground.training.update_size import update_size

pytestmark = pytest.mark.usefixtures("no_shipped_adapters")


@pytest.mark.parametrize("lora", [{}, {"use_rslora": True, "target_modules": ["q_proj"]}, {"use_dora": True}])
def test_it_is_that_of_the_weights_that_peft_itself_changes(
    lora, save_tiny_adapter, tiny_peft, tiny_classifier, tiny_backbone_folder
):
    merged, plain = tiny_peft(**lora).merge_and_unload(), tiny_classifier()
    pairs = [(merged.get_parameter(name), weight) for name, weight in plain.named_parameters() if "score" not in name]
    moved = [(new - old, old) for new, old in pairs if not torch.equal(new, old)]
    added, there = (sum(one.square().sum() for one in sizes) for sizes in zip(*moved, strict=True))
    size = update_size(save_tiny_adapter(lora=lora), str(tiny_backbone_folder))
    assert size == pytest.approx(((added / there) ** 0.5).item(), rel=1e-4)


def test_a_backbone_without_its_exact_weights_has_none(save_tiny_adapter, tmp_path):
    assert update_size(save_tiny_adapter(), str(tmp_path)) is None


def test_a_training_says_how_much_it_changed(make_run_config):
    few, more = (
        finetune(make_run_config(name, epochs=epochs), lambda event: None, lambda: "")
        for name, epochs in (("few", 0.5), ("more", 4.0))
    )
    assert 0 < few.training["update_size"] < more.training["update_size"]
    assert f"| Size of its update | {update_words(more.training)} |" in card(more)
    assert f"| Size of its update | {update_words(more.training)} |" in (more.path / "README.md").read_text()


def test_an_update_of_nothing_is_said_in_words():
    assert update_words({"update_size": 0.0}) == "none: it changes nothing"
    assert update_words({"update_size": 0.0123}) == "1.23 % of the weights that it is added to"
    assert update_words({}) is None
