"""Exports of tiny adapters; each is loaded again in a fresh process, which takes some seconds."""

import json
import zipfile

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from playground.adapters import store
from playground.adapters.weights import load_weights
from playground.backbones.catalogue import EMBEDDED_ID
from playground.backbones.loading import load_exact
from playground.errors import AdapterError, BackboneError, InputError
from playground.exporting import export as export_module
from playground.exporting import formats
from playground.exporting.export import export
from playground.exporting.formats import FORMATS, why_not
from playground.exporting.merged import merge, merged_model
from playground.exporting.plain import head_outputs
from playground.exporting.probes import difference, probe_ids
from playground.exporting.reference import engine_outputs


def silent(*_message):
    pass


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.usefixtures("no_shipped_adapters")
class TestTiny:
    @pytest.mark.parametrize(
        ("task", "attention", "lora"),
        [
            *(
                (task, attention, {})
                for task in ("sentiment", "ner", "qa")
                for attention in ("causal", "bidirectional")
            ),
            *(("instruct", "causal", lora) for lora in ({}, {"use_dora": True}, {"use_rslora": True})),
        ],
    )
    def test_the_merged_model_does_what_the_adapter_does(self, portable, task, attention, lora):
        record = portable(task, attention=attention, lora=lora)
        backbone = load_exact(record.backbone["id"], silent)
        ids = probe_ids(record, backbone.tokenizer)
        expected = engine_outputs(backbone, record, ids)
        model = merged_model(record)
        found = [head_outputs(model, record.shape, "decoder", one).numpy() for one in ids]
        assert difference(expected, found) < 1e-5
        bare = load_exact(record.backbone["id"], silent).model.state_dict()
        changed = [name for name, weight in model.state_dict().items() if "q_proj" in name]
        assert all(not torch.equal(bare[name], model.state_dict()[name]) for name in changed)

    def test_quantized_weights_are_never_merged_into(self, portable, tiny_causal):
        record, model = portable("instruct"), tiny_causal().to(torch.bfloat16)
        with pytest.raises(AdapterError, match=r"torch\.bfloat16 and should be .* in fp32"):
            merge(model, load_weights(record), record.title)

    def test_a_backbone_whose_files_are_quantized_is_refused(self, portable, tiny_backbone_folder, tmp_path):
        folder = tmp_path / "quantized"
        folder.mkdir()
        for path in tiny_backbone_folder.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        config = json.loads((folder / "config.json").read_text())
        config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
        (folder / "config.json").write_text(json.dumps(config))
        record = portable(backbone={"id": str(folder), "checksum": "0" * 64})
        for attempt in (lambda: merged_model(record), lambda: load_exact(str(folder), silent)):
            with pytest.raises(BackboneError, match="only merged into unquantized weights"):
                attempt()

    @pytest.mark.parametrize("numbers", ["bfloat16", pytest.param("float32", marks=pytest.mark.slow)])
    def test_the_merged_folder_is_loaded_by_transformers_alone(self, portable, tmp_path, numbers):
        record = portable(attention="bidirectional")
        exported = export(record, "merged", tmp_path, silent, numbers=numbers)
        assert exported.path == tmp_path / "sentiment-tiny-merged"
        assert exported.verdict.is_same
        assert exported.verdict.difference > 0 or numbers == "float32"
        model = AutoModelForSequenceClassification.from_pretrained(exported.path)
        assert model.config.id2label == {0: "negative", 1: "neutral", 2: "positive"}
        weights = load_file(exported.path / "model.safetensors")
        assert {str(tensor.dtype) for tensor in weights.values()} == {f"torch.{numbers}"}
        assert str(exported.verdict) in (exported.path / "README.md").read_text(encoding="utf-8")
        assert leftovers(tmp_path) == []

    @pytest.mark.slow
    def test_a_zip_is_imported_by_a_stranger_before_it_is_kept(self, portable, tmp_path):
        exported = export(portable("ner"), "zip", tmp_path / "people.zip", silent)
        assert exported.verdict.is_same
        assert "after an import" in exported.verdict.reader
        assert zipfile.is_zipfile(tmp_path / "people.zip")
        assert [record.name for record in store.list_adapters()] == ["tiny"]

    def test_a_copy_that_says_something_else_is_not_kept(self, portable, tmp_path, monkeypatch, without_fresh_process):
        write = export_module.write_merged

        def write_wrongly(record, folder, number_format):
            write(record, folder, number_format)
            weights = load_file(folder / "model.safetensors")
            weights["score.weight"] = weights["score.weight"].flip(0).contiguous()
            save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

        monkeypatch.setattr(export_module, "write_merged", write_wrongly)
        with pytest.raises(AdapterError, match="does not do what the adapter does: OTHER outputs"):
            export(portable(), "merged", tmp_path, silent)
        assert list(tmp_path.glob("*merged*")) == leftovers(tmp_path) == []

    def test_a_full_disk_is_said_before_anything_is_written(self, portable, tmp_path, monkeypatch):
        full = type("Usage", (), {"free": 1_000_000})()
        monkeypatch.setattr(export_module.shutil, "disk_usage", lambda _: full)
        with pytest.raises(AdapterError, match=r"needs 0\.4 GB on a disk where 0\.0 GB are free"):
            export(portable(), "merged", tmp_path, silent)
        assert leftovers(tmp_path) == []

    def test_places_that_are_taken_or_not_there_are_refused(self, portable, tmp_path):
        record = portable()
        (tmp_path / "sentiment-tiny-merged").mkdir()
        with pytest.raises(InputError, match="is there already"):
            export(record, "merged", tmp_path, silent)
        with pytest.raises(InputError, match="There is no folder"):
            export(record, "merged", tmp_path / "a" / "b", silent)
        with pytest.raises(InputError, match=r"should end in \.zip"):
            export(record, "zip", tmp_path / "tiny.tar", silent)

    def test_unknown_formats_and_numbers_are_refused_by_name(self, portable, tmp_path):
        with pytest.raises(InputError, match="no format 'pickle'; choose one of zip, merged, gguf, onnx"):
            export(portable(), "pickle", tmp_path, silent)
        with pytest.raises(InputError, match="no 'q8_0'; there is: float32, bfloat16"):
            export(store.find("sentiment", "tiny"), "merged", tmp_path, silent, numbers="q8_0")

    @pytest.mark.parametrize("task", ["sentiment", "ner", "qa"])
    def test_gguf_is_refused_where_llama_cpp_has_no_head(self, save_tiny_adapter, task):
        reason = why_not(save_tiny_adapter(task, attention="bidirectional"), FORMATS["gguf"])
        assert "which llama.cpp can't run; export it as ONNX or as merged safetensors" in reason

    def test_gguf_is_refused_for_other_backbones_by_name(self, save_tiny_adapter):
        assert "'tiny'; GGUF files are only written for" in why_not(save_tiny_adapter("instruct"), FORMATS["gguf"])
        backbone = {"id": EMBEDDED_ID, "checksum": "0" * 64}
        assert why_not(save_tiny_adapter("instruct", "b", backbone=backbone), FORMATS["gguf"]) == ""

    def test_missing_packages_are_named_with_the_command_that_installs_them(self, save_tiny_adapter, monkeypatch):
        monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "onnxscript" else object())
        reason = why_not(save_tiny_adapter(), FORMATS["onnx"])
        assert reason == "Exports to ONNX need onnxscript; run: pip install onnxscript"

    @pytest.mark.slow
    @pytest.mark.parametrize("attention", ["causal", "bidirectional"])
    @pytest.mark.parametrize("task", ["sentiment", "ner", "qa", "instruct"])
    def test_onnx_runtime_agrees_on_a_padded_batch(self, portable, tmp_path, task, attention):
        for package in formats.ONNX_PACKAGES:
            pytest.importorskip(package)
        if task == "instruct" and attention == "bidirectional":
            pytest.skip("text is written from left to right")
        exported = export(portable(task, attention=attention), "onnx", tmp_path, silent)
        assert exported.verdict.is_same
        assert exported.verdict.reader == "ONNX Runtime"
        assert {"model.onnx", "tokenizer.json", "labels.json", "README.md"} <= {
            path.name for path in exported.path.iterdir()
        }


@pytest.mark.slow
@pytest.mark.parametrize("numbers", ["float16", "q8_0"])
def test_a_gguf_file_holds_the_merged_weights_and_the_tokenizer(tmp_path, numbers):
    """On the embedded backbone; read by llama.cpp where its package is there, else by transformers."""
    record = store.find("translate", "multilingual")
    exported = export(record, "gguf", tmp_path, silent, numbers=numbers)
    assert exported.verdict.is_same
    reader = gguf.GGUFReader(exported.path)
    assert len(reader.fields["tokenizer.ggml.tokens"].contents()) == 262_144
    assert reader.fields["general.architecture"].contents() == "gemma3"
    kinds = {tensor.tensor_type.name for tensor in reader.tensors}
    assert kinds == {"F32", "F16" if numbers == "float16" else "Q8_0"}
    norms = {tensor.name: tensor.data for tensor in reader.tensors if tensor.name == "output_norm.weight"}
    weight = merged_model(record).state_dict()["model.norm.weight"].numpy()
    np.testing.assert_allclose(norms["output_norm.weight"], weight + 1, rtol=1e-6)
