"""The script that a user of `transformers` and `peft` would write: ``Trainer``, LoRA, fp32, padding to the longest."""

import tempfile

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    DataCollatorForSeq2Seq,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    Gemma3PreTrainedModel,
    Gemma3TextConfig,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.modeling_layers import GenericForTokenClassification

from playground.backbones.loading import load_tokenizer
from playground.training.loop import WARM_UP
from tests.bench.training_job import Job, Outcome, bare_model, contest


class Gemma3ForTokenClassification(GenericForTokenClassification, Gemma3PreTrainedModel):
    """What `transformers` has for other decoders and lacks for this one; without dropout or bias, as ours."""

    config: Gemma3TextConfig

    def __init__(self, config):
        config.classifier_dropout, config.token_classification_bias = 0.0, False
        super().__init__(config)


class Losses(TrainerCallback):
    def __init__(self, outcome: Outcome):
        self.outcome = outcome

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.outcome.losses.append(float(logs["loss"]))


def train(job: Job, outcome: Outcome):
    torch.manual_seed(job.config.seed)
    tokenizer = load_tokenizer(job.source)
    if job.shape == "tag":
        options = {"use_bidirectional_attention": True} if job.config.attention == "bidirectional" else {}
        model = Gemma3ForTokenClassification.from_pretrained(job.source, num_labels=job.num_labels, **options)
    else:
        model = bare_model(job)
    kind = {"classify": "SEQ_CLS", "tag": "TOKEN_CLS", "generate": "CAUSAL_LM"}[job.shape]
    config = job.config
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        target_modules="all-linear",
        exclude_modules=["score"],
        task_type=kind,
    )
    model = get_peft_model(model, lora)
    collator = {
        "classify": DataCollatorWithPadding,
        "tag": DataCollatorForTokenClassification,
        "generate": DataCollatorForSeq2Seq,
    }[job.shape](tokenizer)
    rows = [
        {
            "input_ids": feature.input_ids,
            "attention_mask": [1] * len(feature.input_ids),
            "labels": feature.labels[0] if job.shape == "classify" else feature.labels,
        }
        for feature in job.features
    ]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=config.batch_size,
            num_train_epochs=config.epochs,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            warmup_steps=WARM_UP,
            seed=config.seed,
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Trainer(model, arguments, collator, train_dataset=rows, callbacks=[Losses(outcome)])
        with outcome.timed():
            trainer.train()
    outcome.rows = round(config.epochs * len(rows))
    return model


if __name__ == "__main__":
    contest(train)
