from playground.chat.talk import MAX_NEW_TOKENS, alternating, can_talk, talk


def turn(role, content):
    return {"role": role, "content": content}


def test_turns_alternate_whatever_the_history_is():
    turns = [turn("assistant", "hi"), turn("user", "a"), turn("user", "b"), turn("assistant", " "), turn("user", "c")]
    assert alternating(turns) == [turn("user", "c")]
    kept = [turn("user", "a"), turn("assistant", "b"), turn("user", "c")]
    assert alternating(kept) == kept


def test_the_oldest_turns_go_when_the_window_is_full(chat_engine):
    chat_engine.backbone.max_positions = MAX_NEW_TOKENS + 20
    turns = [turn("user", "a" * 10), turn("assistant", "b" * 10)]
    list(talk(chat_engine, turns, "last one", None))
    assert chat_engine.prompts == ["u:last one|"]


def test_only_what_can_generate_talks(engine, chat_engine):
    assert not can_talk(engine, None)
    assert can_talk(chat_engine, None)
    chat_engine.backbone.can_generate = False
    assert not can_talk(chat_engine, None)
