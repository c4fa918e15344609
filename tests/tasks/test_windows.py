import random
from itertools import pairwise

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from playground.tasks.windows import make_windows, owners, special_ids, tokenize

LENGTHS = [0, 1, 5, 6, 7, 8, 20, 21, 97, 400]
LIMITS = [1, 9, 12, 33, 64]


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone_folder):
    return PreTrainedTokenizerFast.from_pretrained(tiny_backbone_folder)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("length", LENGTHS)
def test_windows_cover_every_token_in_order_between_the_frame(length, limit):
    ids = random.Random(length).choices(range(1000, 2000), k=length)
    windows = make_windows(ids, [1, 2], [3], limit)
    covered = set()
    for window in windows:
        inside = window.input_ids[window.position : window.position + window.end - window.start]
        assert inside == ids[window.start : window.end]
        assert window.input_ids == [1, 2, *inside, 3]
        assert len(window.input_ids) <= max(limit, 8 + 3)
        covered |= set(range(window.start, window.end))
    assert covered == set(range(length))
    assert windows[-1].end == length


@pytest.mark.parametrize("length", LENGTHS)
def test_neighbours_overlap_and_no_window_lies_in_another(length):
    windows = make_windows(list(range(length)), [], [], 20)
    for left, right in pairwise(windows):
        assert left.start < right.start < left.end < right.end
        assert left.end - right.start == 5


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("length", LENGTHS)
def test_each_token_has_one_owner_whose_window_holds_it(length, limit):
    windows = make_windows(list(range(length)), [], [], limit)
    owned = owners(windows)
    assert [token for tokens in owned for token in tokens] == list(range(length))
    assert all(window.start <= t < window.end for window, tokens in zip(windows, owned, strict=True) for t in tokens)


def test_owners_have_context_on_both_sides():
    windows = make_windows(list(range(200)), [], [], 40)
    for (left, right), owned in zip(pairwise(windows), owners(windows)[1:], strict=True):
        assert left.end - owned.start >= 5
        assert owned.start - right.start >= 5


def test_offsets_leave_out_blanks_at_the_rims_of_tokens():
    whole = Tokenizer(models.BPE({"a": 0, "b": 1, "▁": 2, "▁a": 3}, [("▁", "a")]))
    whole.pre_tokenizer = pre_tokenizers.Metaspace(split=False, prepend_scheme="never")
    found = tokenize(PreTrainedTokenizerFast(tokenizer_object=whole), "b ab ")
    assert found.offsets == [(0, 1), (2, 3), (3, 4), (4, 4)]


@pytest.mark.parametrize("text", ["naïve 東京 😀!", "a\n\n b", "\u200fעברית"])
def test_offsets_cover_all_visible_characters_in_order(text, tokenizer):
    found = tokenize(tokenizer, text)
    assert len(found.ids) == len(found.offsets)
    shown = {place for start, end in found.offsets for place in range(start, end)}
    assert shown >= {place for place, char in enumerate(text) if not char.isspace()}
    assert all(left[0] <= right[0] for left, right in pairwise(found.offsets))


def test_special_tokens_stand_before_or_after_the_text(tokenizer):
    assert special_ids(tokenizer) == ([2], [])


def test_bert_like_tokenizers_have_special_tokens_on_both_sides():
    from tokenizers import processors

    words = Tokenizer(models.WordLevel({"[CLS]": 0, "[SEP]": 1, "[UNK]": 2}, unk_token="[UNK]"))
    words.post_processor = processors.BertProcessing(("[SEP]", 1), ("[CLS]", 0))
    assert special_ids(PreTrainedTokenizerFast(tokenizer_object=words, cls_token="[CLS]", sep_token="[SEP]")) == (
        [0],
        [1],
    )


def test_a_tokenizer_that_only_ends_texts_puts_nothing_before_them():
    from tokenizers import processors

    words = Tokenizer(models.WordLevel({"</s>": 0, "<unk>": 1}, unk_token="<unk>"))
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 0)])
    assert special_ids(PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>")) == ([], [0])
