"""The README of an exported folder: what it is, how to run it, how it was checked, and its licence."""

from playground.adapters.card import base_model, fenced, licence
from playground.adapters.record import AdapterRecord
from playground.exporting.formats import Format
from playground.exporting.fresh import Verdict


def notes(record: AdapterRecord, chosen: Format, number_format: str, verdict: Verdict) -> str:
    """Markdown; of the record's texts, which somebody else may have written, it holds the prompt only, as code."""
    front = [f"base_model: {base}"] if (base := base_model(record)) else []
    lines = [
        "---",
        *front,
        *(["license: gemma"] if "gemma" in record.backbone["id"].lower() else []),
        "---",
        "",
        f"# {record.task}/{record.name}, {chosen.title}",
        "",
        f"The backbone with the adapter's LoRA weights merged into its unquantized weights, in {number_format}."
        + _trained_on_4_bit(record),
        "",
        f"Checked after it was written, in a process of its own: {verdict}.",
        "",
        fenced("\n".join(_onnx_code(record) if chosen.name == "onnx" else _transformers_code(record)), "python"),
        "",
        "## Licence",
        "",
        licence(record, "model"),
    ]
    return "\n".join(lines) + "\n"


def _trained_on_4_bit(record: AdapterRecord) -> str:
    if record.training.get("quantization") != "4-bit":
        return ""
    return " The adapter was trained beside 4-bit weights, so that it is not quite what it was trained beside."


def _transformers_code(record: AdapterRecord) -> list[str]:
    loader = "AutoModelForCausalLM" if record.shape == "generate" else "AutoModelForSequenceClassification"
    head = [
        "import torch",
        f"from transformers import {loader}, AutoTokenizer",
        "",
        'tokenizer = AutoTokenizer.from_pretrained(".")',
        f'model = {loader}.from_pretrained(".")',
    ]
    if record.shape == "generate":
        return [
            *head,
            f"# The prompt: {record.prompt!r}",
            'inputs = tokenizer("The filled prompt", return_tensors="pt")',
            "output = model.generate(**inputs, max_new_tokens=128, do_sample=False)",
            'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))',
        ]
    inputs = '"The question?\\n\\nThe text."' if record.shape == "span" else '"A text."'
    run = [f'inputs = tokenizer({inputs}, return_tensors="pt")', "with torch.no_grad():"]
    if record.shape == "classify":
        return [
            *head,
            *run,
            "    chances = model(**inputs).logits[0].softmax(-1)",
            "print(model.config.id2label, chances)",
        ]
    return [
        *head,
        *run,
        "    states = model.base_model(**inputs).last_hidden_state",
        "    logits = model.score(states)[0]  # (tokens, labels): the head goes over every token",
        "print(model.config.id2label, logits)",
    ]


def _onnx_code(record: AdapterRecord) -> list[str]:
    shapes = {"classify": "(rows, labels)", "generate": "(rows, vocabulary), of the next token; there is no cache"}
    return [
        "import onnxruntime",
        "from tokenizers import Tokenizer",
        "",
        'tokenizer = Tokenizer.from_file("tokenizer.json")',
        'session = onnxruntime.InferenceSession("model.onnx")',
        'ids = tokenizer.encode("A text.").ids',
        'feeds = {"input_ids": [ids], "attention_mask": [[1] * len(ids)]}  # padding goes to the right',
        '(logits,) = session.run(["logits"], feeds)',
        f"# {shapes.get(record.shape, '(rows, tokens, labels)')}; the labels are in labels.json",
    ]
