"""What a short piece of a message asks for, read word by word with the lexicon."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from playground.chat.folding import Folded, fold, fold_with_places
from playground.chat.languages import JOINED, LETTER, SUPPORTED, Mention, find_mentions, rank_languages
from playground.chat.lexicon import WORD, suffixes, words

TaskName = Literal["translate", "summarize", "sentiment", "ner"]
TASKS: tuple[TaskName, ...] = ("translate", "summarize", "sentiment", "ner")
NUM_LIKELY = 3  # languages whose words are tried first; short pieces are often taken for a neighbour's language
MAX_COUNTED_CHARS = 4000
MAX_FOREIGN_CHARS = 80  # in longer pieces, words of unlikely languages are found by chance

# Languages whose question words stay where the answer would be, not at the beginning.
_QUESTION_WORDS_ANYWHERE = frozenset({"zh", "ja", "ko", "th", "hi", "bn", "fa", "tr", "vi", "id", "sw"})
_VERB_FINAL = frozenset({"ja", "ko", "tr", "hi", "bn", "fa"})
_AROUND = ("refs", "fill", "more", "from", "to", "from_after", "to_after")
_JOINED_LETTER = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af]")
_LATIN = re.compile("[a-zA-Z\u00c0-\u024f]")
_WORD = re.compile(WORD)
_QUESTION_END = re.compile(r"\?[\s\"'»”」』)!]*$|[\u0370-\u03ff\u1f00-\u1fff]\s*;\s*$")


def num_words(text: str) -> float:
    """Words in the beginning of `text`; in scripts without blanks two letters count as one."""
    sample = text[:MAX_COUNTED_CHARS]
    joined = len(_JOINED_LETTER.findall(sample))
    return joined / 2 + len(_WORD.findall(_JOINED_LETTER.sub(" ", sample)))


def reply_language(piece: str) -> str:
    """Language of `piece`; English for one or two Latin words, which nothing could tell apart, unless a greeting."""
    folded = fold(piece)
    greeting = (lang for lang in dict.fromkeys(["en", *SUPPORTED]) if words(lang, "greet").match(folded))
    return next(greeting, rank_languages(piece)[0] if num_words(piece) > 2 or not _LATIN.search(piece) else "en")


@dataclass(frozen=True)
class Found:
    task: TaskName
    lang: str
    """Language of the words that named the task."""
    start: int
    end: int


class Instruction:
    """One piece of a message, lazily read; all places are in its folded text."""

    def __init__(self, piece: str) -> None:
        self.piece = piece
        self._folded: Folded = fold_with_places(piece)
        self.text = self._folded.text
        self.langs = tuple(dict.fromkeys([reply_language(piece), *rank_languages(piece)[:NUM_LIKELY], "en"]))

    @cached_property
    def found(self) -> tuple[Found, ...]:
        """Tasks that it names, in the likeliest language that names any, in the order of the words."""
        for lang in self._tried():
            found = [
                Found(task, lang, match.start(), match.end())
                for task in TASKS
                if (match := words(lang, task).search(self.text))
            ]
            if found:
                return tuple(sorted(found, key=lambda one: one.start))
        return ()

    @cached_property
    def near(self) -> tuple[str, ...]:
        """Languages whose small words count: those that name its task, else all the likely ones."""
        if not self.found:
            return self.langs
        others = [lang for lang in self.langs if any(words(lang, task).search(self.text) for task in TASKS)]
        return tuple(dict.fromkeys([self.lang, *others]))

    @cached_property
    def task(self) -> TaskName | None:
        tasks = [one.task for one in self.found]
        if self.question_word and not self.mentions and not self.has_refs and tasks[:1] == ["translate"]:
            tasks = [task for task in tasks if task != "translate"]  # "When was the translation published?"
        if "translate" in tasks and self.mentions and "summarize" not in tasks:
            return "translate"
        return tasks[0] if tasks else None

    @cached_property
    def lang(self) -> str:
        """Language to answer in."""
        return self.found[0].lang if self.found else self.langs[0]

    @cached_property
    def mentions(self) -> tuple[Mention, ...]:
        names_task = any(one.task == "translate" for one in self.found)
        everywhere = names_task or num_words(self.piece) <= 4
        langs = dict.fromkeys([self.lang, *self.langs])
        return tuple(find_mentions(self.text, langs, everywhere=everywhere))

    @cached_property
    def target(self) -> Mention | None:
        """The language to translate into: the last one that is not marked as the one to translate from."""
        marked = [(self._direction(mention), place) for place, mention in enumerate(self.mentions)]
        best = max(marked, default=(-1, 0))
        names_task = "translate" in [one.task for one in self.found]
        return None if not marked or (best[0] < 0 and names_task) else self.mentions[best[1]]

    @cached_property
    def source(self) -> Mention | None:
        others = [mention for mention in self.mentions if mention != self.target]
        return next((mention for mention in others if self._direction(mention) < 0), None)

    @property
    def names_target(self) -> bool:
        """Whether a language is marked as target ("in French"), not merely named ("this French text")."""
        return self.target is not None and self._direction(self.target) > 0

    @cached_property
    def has_refs(self) -> bool:
        """Whether it points at a text: "this", "it", "the article"."""
        return self._any("refs")

    @cached_property
    def continues(self) -> bool:
        """Whether it begins like the follow-up of something said before: "and", "what about"."""
        return any(words(lang, "more").match(self.text.lstrip(" ¿¡")) for lang in self.langs)

    @cached_property
    def question_word(self) -> bool:
        head = _first_words(self.text, 3 if self.continues else 2)
        return any(
            words(lang, "ask").search(self.text if lang in _QUESTION_WORDS_ANYWHERE else head) for lang in self.langs
        )

    @cached_property
    def question_mark(self) -> bool:
        return bool(_QUESTION_END.search(self.text))

    @property
    def is_unmarked_question(self) -> bool:
        """Whether it is a question hastily typed, not a title: with a small letter, or in Thai, which has no mark."""
        if self.langs[0] == "th":
            places = [match.span() for match in words("th", "ask").finditer(self.text)]
            return any(start == 0 or end == len(self.text) for start, end in places)
        return self.question_word and self.piece[:1].islower()

    @property
    def asks(self) -> bool:
        return self.question_mark or self.question_word

    @cached_property
    def asks_for_help(self) -> bool:
        for lang in self._tried():
            match = words(lang, "help").search(self.text)
            if match:
                return num_words(self._masked([(match.start(), match.end())], _AROUND)) <= 1
        return False

    @cached_property
    def leftover(self) -> float:
        """Words that are neither task, language, pointer nor filler: what a text to work on would consist of."""
        return num_words(self._masked(self._named(), _AROUND))

    @cached_property
    def is_imperative(self) -> bool:
        """Whether its words are in a place where they command, so that no sentence of a text is taken for one."""
        if not self.found:
            return False
        first = self.found[0]
        rest = self._masked(self._named(), _AROUND)
        at_end = first.lang in _VERB_FINAL and not num_words(rest[first.end :])
        at_start = not num_words(self.text[: first.start])
        return at_start or at_end or self.has_refs or self.question_mark or not self.leftover

    @cached_property
    def object_text(self) -> str:
        """The longest run of words between the instruction's own: "good morning" in "say good morning in French".

        Fillers are taken off only where an instruction has them: in front of a verb that is not at its end, and behind.
        """
        whole = self._masked(self._named(), ("from", "to", "from_after", "to_after"), beside=self.mentions)
        bare = self._masked(self._named(), _AROUND)
        runs = [match.span() for match in re.finditer(r"[^\x00]+", whole)]
        start, end = max(runs, key=lambda run: (num_words(bare[slice(*run)]), run[1] - run[0]), default=(0, 0))
        verb_final = self.lang in _VERB_FINAL
        is_apart = self.lang in JOINED and start > 0 and whole[start].isspace()
        if start == 0 and not verb_final:
            start = _skip(bare, start, end, 1)
        if not is_apart and (end == len(whole) or verb_final):
            end = _skip(bare, end, start, -1)
        return self.piece[self._folded.starts[start] : self._folded.starts[end]].strip(" \t\n,;:-")

    def _tried(self) -> Iterable[str]:
        if len(self.text) > MAX_FOREIGN_CHARS:
            return self.langs
        return dict.fromkeys([*self.langs, *SUPPORTED])

    def _any(self, kind: str) -> bool:
        return any(words(lang, kind).search(self.text) for lang in self.near)

    def _named(self) -> list[tuple[int, int]]:
        spans = [(mention.start, mention.end) for mention in self.mentions]
        for one in self.found:
            spans += [match.span() for match in words(one.lang, one.task).finditer(self.text)]
        return spans

    def _direction(self, mention: Mention) -> int:
        """-1 when `mention` is the language to translate from, 1 when to, 0 when nothing tells."""
        before = self.text[: mention.start].rstrip(" '")
        itself = self.text[mention.start : mention.end]
        after = self.text[mention.end :].lstrip(" '")
        for kind, value in (("from", -1), ("to", 1)):
            for lang in self.near:
                marks = words(lang, kind)
                if any(match.end() == len(before) for match in marks.finditer(before)):
                    return value
                if lang in ("ar", "he") and marks.match(itself):
                    return value
                endings = suffixes(lang, f"{kind}_after")
                if endings and (after.startswith(endings) or (lang not in JOINED and itself.endswith(endings))):
                    return value
        is_described = any(words(lang, "refs").match(after) for lang in self.near)  # "this French text"
        return -1 if is_described else 0

    def _masked(
        self, spans: Iterable[tuple[int, int]], kinds: Iterable[str], beside: tuple[Mention, ...] | None = None
    ) -> str:
        """The folded text with `spans` and all words of `kinds` as NULs, these only next to `beside` if given."""
        masked = list(self.text)
        spans = list(spans)
        for kind in kinds:
            for lang in self.near:
                spans += [(m.start(), m.end()) for m in words(lang, kind).finditer(self.text) if _is_near(m, beside)]
        for start, end in spans:
            for place in range(start, self._word_end(end)):
                masked[place] = "\x00"
        return "".join(masked)

    def _word_end(self, end: int) -> int:
        if set(self.langs[:1]) & JOINED or _JOINED_LETTER.match(self.text, end):
            return end
        match = re.compile(rf"[{LETTER}]*").match(self.text, end)
        return match.end() if match else end


def _skip(bare: str, place: int, stop: int, step: int) -> int:
    """`place` moved towards `stop` over masked letters and blanks."""
    while place != stop and bare[place if step > 0 else place - 1] in "\x00 ?!.,":
        place += step
    return place


def _is_near(match: re.Match[str], mentions: tuple[Mention, ...] | None) -> bool:
    if mentions is None:
        return True
    return any(0 <= m.start - match.end() <= 1 or 0 <= match.start() - m.end <= 1 for m in mentions)


def _first_words(text: str, num: int) -> str:
    spans = [match.span() for match in _WORD.finditer(text)]
    return text[: spans[num - 1][1]] if len(spans) >= num else text
