"""The README of an adapter: Hub front matter, what it does, how good it is, how to load it without this program."""

import json
import re
from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Any

from playground.adapters.figures import figure, language_lines, metric_title
from playground.adapters.record import AdapterRecord, without_folders
from playground.adapters.report import PAGE_FILE
from playground.adapters.report_view import Report, advice, verdict
from playground.adapters.untrusted import take_texts
from playground.backbones.catalogue import CATALOGUE, EMBEDDED_ID
from playground.data.fixes import FIXES

HUB_NAMES: Mapping[str, str] = {EMBEDDED_ID: "google/gemma-3-270m"}
"""The Hub's names of backbones that go by another one here."""
_PIPELINE_TAGS: Mapping[str, str] = {
    "classify": "text-classification",
    "tag": "token-classification",
    "span": "question-answering",
    "generate": "text-generation",
}
_PIPELINE_TAGS_OF_TASKS: Mapping[str, str] = {"summarize": "summarization", "translate": "translation"}
_HUB_METRICS: Mapping[str, str] = {
    "macro_f1": "f1",
    "entity_f1": "f1",
    "f1": "f1",
    "accuracy": "accuracy",
    "exact_match": "exact_match",
    "rouge1": "rouge",
    "rouge2": "rouge",
    "rougeL": "rouge",
    "chrf++": "chrf",
    "bleu": "bleu",
}
"""The Hub's names of metrics: https://huggingface.co/metrics"""
_INITS: Mapping[str, str] = {
    "pissa": "PiSSA: the largest directions of the weights, saved as plain LoRA",
    "loftq": "LoftQ: what 4-bit quantization took away, so that it belongs beside the same 4-bit weights",
}
_FOUR_BIT = (
    "four_bit = BitsAndBytesConfig(  # as it was trained",
    "    load_in_4bit=True, bnb_4bit_quant_type='nf4', bnb_4bit_use_double_quant=True,",
    "    llm_int8_skip_modules=['lm_head', 'score'],",
    ")",
)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~!])")

_GEMMA_LICENCE = """\
This {what} is a derivative of Gemma. Gemma is provided under and subject to the Gemma Terms of Use found at
<https://ai.google.dev/gemma/terms>. Whoever uses this {what} or passes it on accepts these terms, the
[Prohibited Use Policy](https://ai.google.dev/gemma/prohibited_use_policy) included, and hands them on with it."""

_LIMITS = """\
- The figures hold for rows like those it was measured on. Other domains, languages and lengths can be much worse:
  measure it on your own rows before you rely on it.
- It can repeat prejudices of the backbone's texts and of its training rows. Let no decision about people rest on it
  alone.
- It works with the backbone named above only."""


def card(record: AdapterRecord, report: Report | None = None) -> str:
    """The text of ``README.md`` in the adapter's folder, which is its page on the Hub too.

    Args:
        report: what the adapter was measured to do, where it was.
    """
    sections = (
        ("What it is", _facts(record)),
        ("How good it is", _quality(record.metrics) + _findings(report)),
        ("How good it is by language", _languages(record)),
        ("How it was trained", _training(record.training)),
        ("Loading it with plain PEFT", fenced(loading_code(record), "python")),
        ("Limits", _LIMITS),
        ("Licence", licence(record)),
    )
    body = "".join(f"## {title}\n\n{text}\n\n" for title, text in sections if text)
    description = f"{_plain(record.description)}\n\n" if record.description else ""
    return f"{_front_matter(record)}\n# {record.name}\n\n{description}{body}".rstrip() + "\n"


def loading_code(record: AdapterRecord) -> str:
    """Python that runs the adapter with transformers and PEFT alone."""
    is_generate = record.shape == "generate"
    loader = "AutoModelForCausalLM" if is_generate else "AutoModelForSequenceClassification"
    options = "" if is_generate else f", num_labels={len(record.labels)}"
    if record.attention == "bidirectional":
        options += ", use_bidirectional_attention=True"
    is_loftq = record.training.get("init") == "loftq"
    if is_loftq:
        options += ", quantization_config=four_bit"
    lines = [
        "import torch",
        "from peft import PeftModel",
        f"from transformers import {loader}, AutoTokenizer{', BitsAndBytesConfig' if is_loftq else ''}",
        "",
        *(_FOUR_BIT if is_loftq else ()),
        f"backbone = {(base_model(record) or record.backbone['id'])!r}",
        "tokenizer = AutoTokenizer.from_pretrained(backbone)",
        f"model = {loader}.from_pretrained(backbone{options})",
        f"model = PeftModel.from_pretrained(model, {record.name!r}).eval()  # this adapter's folder",
        f"inputs = tokenizer({_example_input(record)}, return_tensors='pt')",
        *_forward_code(record),
    ]
    return "\n".join(lines) + "\n"


def base_model(record: AdapterRecord) -> str | None:
    """Hub id of the backbone, None when it is a folder of somebody's machine."""
    backbone_id = record.backbone["id"]
    name = HUB_NAMES.get(backbone_id, backbone_id)
    return name if _HUB_ID.fullmatch(name) else None


def _example_input(record: AdapterRecord) -> str:
    if record.prompt:
        names = dict.fromkeys(name for _, name, _, _ in Formatter().parse(record.prompt) if name)
        values = ", ".join(f"{name}={name.replace('_', ' ')!r}" for name in names)
        return f"{record.prompt!r}.format({values})"
    return "'The question?', 'The text with the answer.'" if record.shape == "span" else "'A text in any language.'"


def _forward_code(record: AdapterRecord) -> list[str]:
    if record.shape == "generate":
        max_new_tokens = record.generation.get("max_new_tokens", 128)
        return [
            f"output = model.generate(**inputs, max_new_tokens={max_new_tokens}, do_sample=False)",
            "print(tokenizer.decode(output[0, inputs['input_ids'].shape[1] :], skip_special_tokens=True))",
        ]
    labels = f"labels = {list(record.labels)!r}"
    if record.shape == "classify":
        return [
            labels,
            "with torch.no_grad():",
            "    logits = model(**inputs).logits[0]",
            "print(dict(zip(labels, logits.softmax(-1).tolist())))",
        ]
    lines = [
        labels,
        "with torch.no_grad():",
        "    hidden = model.base_model.model.base_model(**inputs).last_hidden_state",
        "    logits = model.base_model.model.score(hidden)[0]  # (tokens, labels)",
    ]
    if record.shape == "span":
        return [*lines, "print(dict(zip(labels, logits.argmax(0).tolist())))  # the best token for each"]
    return [*lines, "print([labels[i] for i in logits.argmax(-1).tolist()])  # one label a token"]


def _front_matter(record: AdapterRecord) -> str:
    tag = _PIPELINE_TAGS_OF_TASKS.get(record.task, _PIPELINE_TAGS[record.shape])
    base = base_model(record)
    # The Hub takes the plain language only: pt for pt-BR. Quoted, because YAML reads a bare `no` as false.
    languages = sorted({language.split("-")[0] for language in record.training.get("languages", ())})
    measured = record.metrics.get("adapter", {}).get("metrics", {})
    metrics = sorted({_HUB_METRICS[name] for name in measured if name in _HUB_METRICS})
    lines = [
        "---",
        *([f"base_model: {base}", "base_model_relation: adapter"] if base else []),
        "library_name: peft",
        f"pipeline_tag: {tag}",
        f"tags: {json.dumps(['lora', 'polyglot-playground', record.task])}",
        *([f"language: {json.dumps(languages)}"] if languages else []),
        *([f"metrics: {json.dumps(metrics)}"] if metrics else []),
        *(["license: gemma"] if _is_gemma(record) else []),
        "---",
    ]
    return "\n".join(lines) + "\n"


def _facts(record: AdapterRecord) -> str:
    backbone = f"{record.backbone['id']} (checksum {record.backbone['checksum'] or 'unknown'})"
    facts = {
        "Task": record.task,
        "Labels": ", ".join(record.labels),
        "Backbone": backbone,
        "Attention": record.attention,
        "Tokens in one window": str(record.max_length),
        "Calibrated": ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in record.decision.items()),
        "Made": record.created,
    }
    prompt = f"\n\nPrompt:\n\n{fenced(record.prompt)}" if record.prompt else ""
    return _table(("", ""), [(name, value) for name, value in facts.items() if value]) + prompt


def _quality(metrics: Mapping[str, Any]) -> str:
    adapter, base, trivial = (metrics.get(key) for key in ("adapter", "base", "trivial"))
    if adapter is None:
        return "It has not been measured."
    parent = metrics.get("parent")
    titles = {"This adapter": adapter} | ({"Before": parent} if parent else {"The backbone without it": base})
    if trivial is not None:
        titles[f"Trivial: {_plain(metrics.get('trivial_title', 'unnamed'))}"] = trivial
    counts = {title: f" (n = {scores['n']:,})" if scores else "" for title, scores in titles.items()}
    header = ("Metric (0 to 100)", *(title + count for title, count in counts.items()))
    rows = [(metric_title(name), *(figure(scores, name) for scores in titles.values())) for name in adapter["metrics"]]
    data = metrics.get("data")
    intro = f"Measured on: {_plain(data)}\n\n" if data else ""
    command = metrics.get("command")
    again = f" Measured with:\n\n{fenced(without_folders(command), 'sh')}" if command else ""
    return f"{intro}{_table(header, rows)}\n\nIn brackets: the 95 % confidence interval.{again}"


def _findings(report: Report | None) -> str:
    """What the report says in words, and where it is."""
    if report is None:
        return ""
    words = _plain(" ".join([*verdict(report), *advice(report)]))
    return f"\n\n{words}\n\nBy class, language and length, with charts: [{PAGE_FILE}]({PAGE_FILE})."


def _languages(record: AdapterRecord) -> str:
    untrained = ", ".join(map(_plain, _untrained(record)))
    beyond = "what it does there is transfer, measured above where there is a figure"
    line = f"Languages it was never trained on: {untrained} ({beyond})." if untrained else ""
    return "\n\n".join(part for part in (_by_language(record.metrics), line) if part)


def _by_language(metrics: Mapping[str, Any]) -> str:
    lines = language_lines(metrics)
    if not lines:
        return ""
    main = _plain(metric_title(metrics["adapter"]["main"])) if "adapter" in metrics else "main metric"
    columns = {"language": "Language", "n": "n", "adapter": f"This adapter, {main} (95 % interval)"}
    others = {"base": "The backbone without it", "trivial": "Trivial"}
    columns |= {key: title for key, title in others.items() if metrics.get(f"{key}_by_language")}
    return _table(tuple(columns.values()), [tuple(getattr(line, key) for key in columns) for line in lines])


def _untrained(record: AdapterRecord) -> list[str]:
    """Languages that it was measured on or is known to lack, though it was not trained on them."""
    trained = {code.split("-")[0] for code in record.training.get("languages", ())}
    measured = {code for key in record.metrics.get("by_language", {}) for code in _codes(record.task, key)}
    named = set(take_texts(dict(record.training), "untrained", record.title))
    return sorted(named | (measured - trained if trained else set()))


def _codes(task: str, key: str) -> list[str]:
    """Languages of one entry by language: ``pt`` of ``pt-BR``, in translation both of ``en-pt-BR``."""
    codes = re.findall(r"\b[a-z]{2,3}\b", key)
    return codes if task == "translate" else codes[:1]


def _training(training: Mapping[str, Any]) -> str:
    minutes = training["wall_time_s"] / 60 if "wall_time_s" in training else None
    facts = {
        "Data": training.get("data"),
        "Licence of the data": training.get("licence"),
        "Languages": ", ".join(training.get("languages", ())),
        "Goes on from": training.get("parent"),
        "Rows repeated from there": training.get("replayed"),
        "Rows": f"{training['rows']:,}" if "rows" in training else None,
        "Rows dropped because they resemble a row it is measured on": training.get("duplicates"),
        "Fixes of the data": ", ".join(fix_words(name, count) for name, count in training.get("fixes", {}).items()),
        "Held out": training.get("split"),
        "Preset": training.get("preset"),
        "Layers that learnt": upper_layers(training),
        "Frozen weights while it was trained": training.get("quantization"),
        "Initialisation": _INITS.get(str(training.get("init")), training.get("init")),
        "Seed": training.get("seed"),
        "Wall time": f"{minutes:.1f} minutes" if minutes is not None else None,
        "Loaded again in a fresh process": training.get("reloaded"),
        "Size of its update": update_words(training),
    }
    rows = [(name, str(value)) for name, value in facts.items() if value not in (None, "")]
    command = training.get("command")
    parts = [
        _table(("", ""), rows) if rows else "",
        f"Command:\n\n{fenced(without_folders(command), 'sh')}" if command else "",
    ]
    return "\n\n".join(part for part in parts if part)


def fix_words(name: str, count: int) -> str:
    """What the fix `name` does, and to how many rows it did."""
    return f"{FIXES.get(name, name)} ({count:,} {'row' if count == 1 else 'rows'})"


def update_words(training: Mapping[str, Any]) -> str | None:
    """How large what the adapter adds is, where that is known."""
    size = training.get("update_size")
    if size is None:
        return None
    return f"{100 * size:.3g} % of the weights that it is added to" if size else "none: it changes nothing"


def upper_layers(training: Mapping[str, Any]) -> str | None:
    """Which layers have an adapter, where not all have one."""
    share = training.get("upper_share")
    return None if share is None else f"the upper {share:.0%}"


def licence(record: AdapterRecord, what: str = "adapter") -> str:
    """What whoever uses or passes on the adapter, or what is made from it, has to know."""
    if _is_gemma(record):
        return _GEMMA_LICENCE.format(what=what)
    known = CATALOGUE.get(record.backbone["id"])
    licence = f" ({known.licence})" if known else ""
    return f"The licence of the backbone {_plain(record.backbone['id'])}{licence} applies to what is made from it."


def _is_gemma(record: AdapterRecord) -> bool:
    return "gemma" in record.backbone["id"].lower()


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *(tuple(_plain(cell) for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """`text` on one line, with everything escaped that Markdown or HTML would read as its own."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def fenced(code: str, language: str = "") -> str:
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"
