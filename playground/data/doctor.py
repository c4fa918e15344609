"""What is wrong with rows before anything is learnt from them, in numbers, sentences and examples with their lines."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from playground.data.duplicates import compared_texts, find_leaks
from playground.data.fixes import BALANCE, CONFLICTS, EXACT, LOWER, NAMES, NEAR_ONES, label_counts
from playground.data.lengths import Lengths, measure_lengths
from playground.data.masking import texts_of
from playground.data.names import NAME, NameFinder, duration, sample_names
from playground.data.pii import KINDS, find_details
from playground.data.repeats import conflicts, exact_duplicates, near_duplicates, read_rows
from playground.data.text import excerpt
from playground.types import Row

NUM_EXAMPLES = 5
LANGUAGE_SAMPLE = 2000
"""Rows whose language is looked at."""
FEW_ROWS = 10
"""A label with fewer rows can hardly be learnt."""
SCARCE = 4
"""With fewer rows a label, taken over all labels, they are hardly what the rows are to be sorted by."""
UNEVEN = 5.0
"""The commonest label has so many times the rows of the rarest before that is worth a word."""
NEEDS_WEIGHTS = "class-weights"
"""Named beside the fixes: the loss counts rare labels more (`RunConfig.class_weights`)."""

NAMES_UNSEEN = "Names of persons were not looked for."
NO_FINDER = "Names of persons were not looked for: no adapter for entities with the label PER fits this backbone."

DetectLanguage = Callable[[str], str]
CountTokens = Callable[[Sequence[str]], Sequence[int]]


@dataclass(frozen=True)
class Example:
    line: int
    """Where the row is in the file."""
    text: str
    """A few words of it."""


@dataclass(frozen=True)
class Finding:
    kind: str
    """exact-duplicates, near-duplicates, conflicts, labels, spellings, imbalance, leakage, unknown-labels,
    pii-name, or pii- and a key of `pii.KINDS`."""
    rows: int
    """How many rows it concerns; of names, how many of the sample."""
    sentence: str
    examples: tuple[Example, ...] = ()
    fixes: tuple[str, ...] = ()
    """What helps: keys of `fixes.FIXES`, or `NEEDS_WEIGHTS`."""


@dataclass(frozen=True)
class Checkup:
    task: str
    rows: int
    findings: tuple[Finding, ...]
    lengths: Lengths
    labels: Mapping[str, int] = field(default_factory=dict)
    """Rows of each label, or places of each kind of entity, the commonest first."""
    languages: Mapping[str, int] = field(default_factory=dict)
    """Rows in each language, the commonest first, of a sample of `LANGUAGE_SAMPLE`."""
    names: str = NAMES_UNSEEN
    """How names of persons were looked for, or that they were not."""


def examine(
    task: str,
    rows: Sequence[Row],
    lines: Sequence[int],
    *,
    detect_language: DetectLanguage,
    count_tokens: CountTokens | None = None,
    max_tokens: int = 0,
    held_out: Sequence[Row] = (),
) -> Checkup:
    """A look at `rows`, which are in the shape of `task`; it takes seconds for 100,000.

    Args:
        task: what they are for.
        rows: usable ones.
        lines: line of each row in its file.
        detect_language: code of the language of a text.
        count_tokens: number of tokens of each text; None: lengths are in characters.
        max_tokens: what one example of the training holds; 0: not known.
        held_out: the person's own rows to measure on.
    """
    said = read_rows(task, rows)
    seen = _Seen(task, rows, lines)
    exact, near, opposed = exact_duplicates(said), near_duplicates(task, said), conflicts(said)
    labels = _labels(task, rows)
    findings = [
        _exact(seen, exact),
        _near(seen, near),
        _conflicts(seen, opposed),
        _unlearnable(task, labels),
        _spellings(seen, labels),
        _imbalance(seen, labels),
        *(_details(seen)),
        _leakage(seen, held_out),
        _unknown(task, labels, held_out),
    ]
    return Checkup(
        task,
        len(rows),
        tuple(finding for finding in findings if finding is not None),
        measure_lengths(task, rows, count_tokens, max_tokens),
        dict(labels.most_common()),
        _languages(task, rows, detect_language),
    )


def with_names(checkup: Checkup, rows: Sequence[Row], lines: Sequence[int], finder: NameFinder | None) -> Checkup:
    """`checkup` of `rows` with the names of persons in a sample of them, which takes some seconds.

    Args:
        finder: None where no adapter for entities fits the backbone.
    """
    if finder is None:
        return replace(checkup, names=NO_FINDER)
    sample = sample_names(checkup.task, rows, finder)
    where = f"all {len(rows):,} rows" if sample.num_rows == len(rows) else f"a sample of {sample.num_rows:,} rows"
    missed = f", which misses about {100 - finder.recall:.0f} in 100 of them" if finder.recall is not None else ""
    said = f"Names of persons were looked for in {where} by the adapter '{finder.title}'{missed}."
    if not sample.found:
        return replace(checkup, names=said)
    share = f"{len(sample.found):,} of {where} ({100 * len(sample.found) / sample.num_rows:.0f} %)"
    sentence = (
        f"{share} hold what looks like the name of a person. Masking names reads every row before the training: "
        f"{duration(sample.all_rows_s)} for {len(rows):,} rows here."
    )
    examples = tuple(Example(lines[row], excerpt(name, 60)) for row, name in [*sample.found.items()][:NUM_EXAMPLES])
    finding = Finding(f"pii-{NAME}", len(sample.found), sentence, examples, (NAMES,))
    return replace(checkup, findings=(*checkup.findings, finding), names=said)


def in_words(checkup: Checkup) -> list[str]:
    """Lines for a terminal."""
    lines: list[str] = []
    for finding in checkup.findings:
        fixes = [fix for fix in finding.fixes if fix != NEEDS_WEIGHTS]
        lines.append(f"{finding.kind}: {finding.sentence}" + "".join(f" (--fix {fix})" for fix in fixes))
        lines += [f"  line {example.line}: {example.text}" for example in finding.examples]
    if not checkup.findings:
        lines.append("Nothing stands out.")
    lines.append(checkup.names)
    for name, counts in (("labels", checkup.labels), ("languages", checkup.languages)):
        if counts:
            lines.append(f"{name}: {', '.join(f'{value} {count:,}' for value, count in counts.items())}")
    lengths = checkup.lengths
    over = f"; {100 * lengths.too_long:.1f} % exceed {lengths.limit:,}: {lengths.consequence}"
    lines.append(
        f"length in {lengths.unit}: half have {lengths.median:,} or more, the longest {lengths.longest:,}"
        + (over if lengths.too_long else "")
    )
    return lines


@dataclass(frozen=True)
class _Seen:
    task: str
    rows: Sequence[Row]
    lines: Sequence[int]

    def example(self, row: int, more: str = "") -> Example:
        texts = texts_of(self.task, self.rows[row])
        return Example(self.lines[row], excerpt(more or texts[-1 if self.task == "qa" else 0], 100))


def _exact(seen: _Seen, found: Mapping[int, int]) -> Finding | None:
    if not found:
        return None
    sentence = f"{_counted(len(found), 'row repeats', 'rows repeat')} an earlier one word for word."
    return Finding("exact-duplicates", len(found), sentence, _pairs(seen, found), (EXACT,))


def _near(seen: _Seen, found: Mapping[int, int]) -> Finding | None:
    if not found:
        return None
    sentence = (
        f"{_counted(len(found), 'row is', 'rows are')} nearly the same as an earlier one: another case, punctuation or "
        "spelling, or a word more or less."
    )
    return Finding("near-duplicates", len(found), sentence, _pairs(seen, found), (NEAR_ONES,))


def _pairs(seen: _Seen, found: Mapping[int, int]) -> tuple[Example, ...]:
    pairs = list(found.items())[:NUM_EXAMPLES]
    return tuple(
        Example(seen.lines[row], f"{seen.example(row).text} (as line {seen.lines[other]})") for row, other in pairs
    )


def _conflicts(seen: _Seen, groups: Sequence[Sequence[int]]) -> Finding | None:
    if not groups:
        return None
    num_rows = sum(map(len, groups))
    answers = {"ner": "entities", "qa": "answers", "summarize": "summaries", "translate": "translations"}
    what = answers.get(seen.task, "completions" if seen.task == "instruct" else "labels")
    sentence = f"{num_rows:,} rows say the same as another but have different {what}."
    if what in ("summaries", "translations", "completions"):
        sentence += " That is fine where several are right."
    shown = [row for group in groups for row in _one_of_each(seen, group)][:NUM_EXAMPLES]
    examples = tuple(
        seen.example(row, f"{seen.example(row).text} → {excerpt(_answer(seen.task, seen.rows[row]), 40)}")
        for row in shown
    )
    return Finding("conflicts", num_rows, sentence, examples, (CONFLICTS,))


def _one_of_each(seen: _Seen, group: Sequence[int]) -> list[int]:
    """The first row of a group for each of its answers."""
    first: dict[str, int] = {}
    for row in group:
        first.setdefault(_answer(seen.task, seen.rows[row]), row)
    return list(first.values())


def _answer(task: str, row: Row) -> str:
    if task == "ner":
        pieces = (f"{row['text'][e['start'] : e['end']]} ({e['label']})" for e in row["entities"])
        return ", ".join(pieces) or "no entity"
    if task == "qa":
        return " / ".join(answer["text"] for answer in row["answers"]) or "no answer"
    return str(row["label"]) if task in ("sentiment", "classify") else texts_of(task, row)[-1]


def _labels(task: str, rows: Sequence[Row]) -> Counter[str]:
    if task == "ner":
        return Counter(entity["label"] for row in rows for entity in row["entities"])
    if task == "qa":
        return Counter("answered" if row["answers"] else "no answer" for row in rows)
    return label_counts(rows) if task in ("sentiment", "classify") else Counter()


def _unlearnable(task: str, labels: Counter[str]) -> Finding | None:
    """One label alone, or labels that nearly all have too few rows, as numbers on a scale or names have."""
    if task not in ("sentiment", "classify") or labels.total() < FEW_ROWS:
        return None
    if len(labels) == 1:
        (label, count), *_ = labels.items()
        sentence = f"All rows have the label '{label}'; a label can only be told from others."
        return Finding("labels", count, sentence)
    rare = [label for label, count in labels.items() if count < FEW_ROWS]
    if 2 * len(rare) <= len(labels) or len(labels) * SCARCE < labels.total():
        return None
    sentence = (
        f"{len(rare):,} of {len(labels):,} labels have fewer than {FEW_ROWS} rows each, which is hardly enough to "
        "learn them. Is it the right column?"
    )
    return Finding("labels", sum(labels[label] for label in rare), sentence)


def _spellings(seen: _Seen, labels: Counter[str]) -> Finding | None:
    """Labels that differ in nothing but capitals: the training takes them for different ones."""
    if seen.task not in ("sentiment", "classify"):
        return None
    same: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        same[label.lower()].append(label)
    groups = [group for group in same.values() if len(group) > 1]
    if not groups:
        return None
    shown = "; ".join(", ".join(f"'{label}'" for label in group) for group in groups[:NUM_EXAMPLES])
    concerned = {label for group in groups for label in group[1:]}
    num_rows = sum(labels[label] for label in concerned)
    labels_are = _counted(len(groups), "label is", "labels are")
    sentence = f"{labels_are} written in several ways, which would be learnt as different ones: {shown}."
    places = [i for i, row in enumerate(seen.rows) if row["label"] in concerned][:NUM_EXAMPLES]
    examples = tuple(seen.example(i, f"{seen.rows[i]['label']}: {seen.example(i).text}") for i in places)
    return Finding("spellings", num_rows, sentence, examples, (LOWER,))


def _imbalance(seen: _Seen, labels: Counter[str]) -> Finding | None:
    """Uneven labels of whole texts; kinds of entities or of questions only where one is too rare to be learnt."""
    if len(labels) < 2:
        return None
    (most, num_most), (least, num_least) = labels.most_common()[0], labels.most_common()[-1]
    rare = [label for label, count in labels.items() if count < FEW_ROWS]
    has_fixes = seen.task in ("sentiment", "classify")
    if num_most < UNEVEN * num_least or not (rare or has_fixes):
        return None
    counted = "entities" if seen.task == "ner" else "rows"
    sentence = f"'{most}' has {num_most:,} {counted}, '{least}' only {num_least:,}."
    if len(rare) > 1:
        sentence += f" {len(rare)} labels have fewer than {FEW_ROWS} {counted} each."
    if has_fixes:
        concerned = sum(count for count in labels.values() if num_most >= UNEVEN * count)
        return Finding("imbalance", concerned, sentence, (), (NEEDS_WEIGHTS, BALANCE))
    found = [i for i, row in enumerate(seen.rows) if not _labels(seen.task, [row]).keys().isdisjoint(rare)]
    sentence += " What is so rare can hardly be learnt: more rows with it would help."
    return Finding("imbalance", len(found), sentence, tuple(map(seen.example, found[:NUM_EXAMPLES])))


def _details(seen: _Seen) -> list[Finding]:
    """One finding for each kind of personal details."""
    examples: dict[str, dict[int, Example]] = {kind: {} for kind in KINDS}
    counts: Counter[str] = Counter()
    for i, row in enumerate(seen.rows):
        for text in texts_of(seen.task, row):
            for detail in find_details(text):
                found = examples[detail.kind]
                if i not in found:
                    counts[detail.kind] += 1
                    found[i] = Example(seen.lines[i], excerpt(text[detail.start : detail.end], 60))
    return [
        Finding(
            f"pii-{kind}",
            count,
            f"{_counted(count, 'row holds', 'rows hold')} what looks like {_article(KINDS[kind])} {KINDS[kind]}.",
            tuple(examples[kind].values())[:NUM_EXAMPLES],
            (f"mask-{kind}",),
        )
        for kind in KINDS
        if (count := counts[kind])
    ]


def _leakage(seen: _Seen, held_out: Sequence[Row]) -> Finding | None:
    leaks = find_leaks(seen.task, seen.rows, held_out) if held_out else []
    if not leaks:
        return None
    sentence = (
        f"{_counted(len(leaks), 'row is or resembles one', 'rows are or resemble some')} of the rows to measure on; "
        "the training leaves them out by itself."
    )
    return Finding("leakage", len(leaks), sentence, tuple(seen.example(leak.row) for leak in leaks[:NUM_EXAMPLES]))


def _unknown(task: str, labels: Mapping[str, int], held_out: Sequence[Row]) -> Finding | None:
    """That rows to measure on have labels, or kinds of entities, which no row to learn from has."""
    if task not in ("sentiment", "classify", "ner"):
        return None
    unknown = {label: count for label, count in _labels(task, held_out).items() if label not in labels}
    if not unknown:
        return None
    shown = ", ".join(f"'{excerpt(label, 40)}'" for label in list(unknown)[:NUM_EXAMPLES])
    more = f" and {len(unknown) - NUM_EXAMPLES:,} more" if len(unknown) > NUM_EXAMPLES else ""
    sentence = f"Rows to measure on say {shown}{more}, which no row to learn from does; these will count as wrong."
    return Finding("unknown-labels", sum(unknown.values()), sentence)


def unknown_labels(task: str, rows: Sequence[Row], held_out: Sequence[Row]) -> str:
    """What `examine` says about labels that only rows to measure on have; empty where there are none."""
    finding = _unknown(task, _labels(task, rows), held_out)
    return finding.sentence if finding else ""


def _languages(task: str, rows: Sequence[Row], detect_language: DetectLanguage) -> dict[str, int]:
    if task == "translate":
        return dict(Counter(f"{row['source_lang']} → {row['target_lang']}" for row in rows).most_common())
    chosen = rows if len(rows) <= LANGUAGE_SAMPLE else random.Random(0).sample(list(rows), LANGUAGE_SAMPLE)
    said = (str(row["lang"]) if row.get("lang") else detect_language(compared_texts(task, row)[0]) for row in chosen)
    return dict(Counter(said).most_common())


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiouAEIOU" else "a"
