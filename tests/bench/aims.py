"""What the figures of the inference benchmark are to reach, and how far the processor lets them.

A batch can't do more rows a second than the matrix products alone would, and a token can't come sooner than its weights
are read: `product_figures` times the products without anything between them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench.answering import median_s

Figures = Mapping[str, Mapping[str, float]]
"""By contender, by the figure's name."""


@dataclass(frozen=True)
class Aim:
    title: str
    reached: Callable[[Figures], float]
    """Raises KeyError where a contender was not measured."""
    bound: float
    is_lower_bound: bool = True
    unit: str = ""

    def line(self, figures: Figures) -> str:
        """Its row of the table, without a result where the figures lack a contender."""
        sign = "at least" if self.is_lower_bound else "at most"
        row = f"| {self.title} | {sign} {self.bound:,g}{self.unit} |"
        try:
            value = self.reached(figures)
        except KeyError:
            return f"{row} - | not measured |"
        is_met = value >= self.bound if self.is_lower_bound else value <= self.bound
        return f"{row} {value:,.2f}{self.unit} | {'yes' if is_met else 'no'} |"


def _ratio(numerator: str, denominator: str, contender: str = "engine") -> Callable[[Figures], float]:
    return lambda figures: figures["engine"][numerator] / figures[contender][denominator]


def _own(name: str) -> Callable[[Figures], float]:
    return lambda figures: figures["engine"][name]


def _spread(figures: Figures) -> float:
    """Of passes with a warm adapter while others are registered, the slowest over the fastest, in percent more."""
    warm = [value for name, value in figures["engine"].items() if name.startswith("warm_of_")]
    return 100 * (max(warm) / min(warm) - 1)


AIMS = [
    Aim("one text, with guesses, over llama.cpp", _ratio("decode", "decode", "llama.cpp"), 0.9, unit="x"),
    Aim("one text, without guesses, over llama.cpp", _ratio("decode_unguessed", "decode", "llama.cpp"), 0.9, unit="x"),
    Aim("prompt over llama.cpp", _ratio("prompt", "prompt", "llama.cpp"), 1, unit="x"),
    Aim("one text, with guesses, over plain", _ratio("decode", "decode", "plain"), 5, unit="x"),
    Aim("8 texts over one, with adapters and guesses", _ratio("streams", "decode_adapter"), 3, unit="x"),
    Aim("8 texts over one without guesses", _ratio("streams", "decode_unguessed"), 3, unit="x"),
    Aim("8 texts over llama-server", _ratio("streams", "llama_server", "llama.cpp"), 2, unit="x"),
    Aim("8 texts over llama-cpp-python's server", _ratio("streams", "llama_cpp_server", "llama.cpp"), 2, unit="x"),
    Aim("first token beside another text", _own("first_token_ms"), 300, False, " ms"),
    Aim("pass of 30 tokens", _own("pass_30_ms"), 60, False, " ms"),
    Aim("pass of 256 tokens", _own("pass_256_ms"), 250, False, " ms"),
    Aim("16 rows in one pass over one at a time", _ratio("rows_together", "rows_apart"), 4, unit="x"),
    Aim("loading an adapter", _own("cold_adapter_ms"), 50, False, " ms"),
    Aim("warm adapter among 1 to 100, slowest over fastest", _spread, 10, False, " % more"),
    Aim("memory at rest with five adapters", _own("resting_mb"), 1200, False, " MB"),
]


def product_figures(config: Any, num_rows: int, row_tokens: int, repeats: int) -> dict[str, float]:
    """Rows of `row_tokens` tokens a second, one and `num_rows` at a time, and tokens a second of one text, if a pass
    were nothing but its 8-bit matrix products: see `playground.backbones.packed`.
    """
    import torch

    from playground.backbones.packed import best_kernel

    kernel = best_kernel()

    def product(num_outputs: int, num_inputs: int) -> tuple[int, Callable[[Any], Any]]:
        values = torch.randint(-127, 128, (num_outputs, num_inputs), dtype=torch.int8)
        return num_inputs, kernel.pack(values, torch.ones(num_outputs))

    hidden, inner = config.hidden_size, config.intermediate_size
    heads, keys = config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim
    shapes = [(heads + 2 * keys, hidden), (hidden, heads), (2 * inner, hidden), (hidden, inner)]
    layers = [product(*shape) for _ in range(config.num_hidden_layers) for shape in shapes]
    projection = product(config.vocab_size, hidden)

    def seconds(num_tokens: int, *more: tuple[int, Callable[[Any], Any]]) -> float:
        rows = {size: torch.ones(num_tokens, size) for size in {heads, hidden, inner}}
        return median_s(lambda: [multiply(rows[size]) for size, multiply in (*layers, *more)], 3 * repeats)

    return {
        "products_apart": 1 / seconds(row_tokens),
        "products_together": num_rows / seconds(num_rows * row_tokens),
        "products_decode": 1 / seconds(1, projection),
    }


def limits(figures: Figures) -> str:
    """A sentence on what the products alone would allow."""
    of = figures["products"]
    together = of["products_together"] / figures["engine"]["rows_apart"]
    return (
        f"The 8-bit matrix products alone, without norms, attention and adapters, do {of['products_together']:,.0f} "
        f"rows a second 16 at a time and {of['products_apart']:,.0f} one at a time: were all else free in a pass of 16 "
        f"rows, it would do {together:.1f}x what one at a time does. For one token after the other they allow "
        f"{of['products_decode']:,.0f} tokens a second, as each token reads all weights; guesses and several texts at "
        "once go beyond that."
    )


def section(figures: Figures) -> list[str]:
    """Lines of Markdown: the aims with what was reached, and the limits."""
    table = ["| aim | | reached | met |", "| --- | ---: | ---: | --- |", *(aim.line(figures) for aim in AIMS)]
    return ["", "## Aims", "", *table, "", limits(figures)]
