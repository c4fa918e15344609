"""8-bit output projection on the CPU: the largest matrix, 168 of 268 million weights of the embedded backbone."""

import torch
from torch import Tensor, nn


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, one scale per output row, and bfloat16 activations.

    Rounding the weights alone costs little (mean loss per token 2.656 against 2.651 in fp32 on five news
    sentences in five languages), and no row of a batch depends on another.
    """

    weight_int8: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach().float()  # (V, H)
        scale = weight.abs().amax(dim=1).clamp(min=1e-8) / 127
        self.register_buffer("weight_int8", torch.round(weight / scale[:, None]).to(torch.int8), persistent=False)
        self.register_buffer("scale", scale.to(torch.bfloat16), persistent=False)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().float(), persistent=False)

    def forward(self, states: Tensor) -> Tensor:
        """Maps (..., H) to fp32 (..., V)."""
        flat = states.reshape(-1, states.shape[-1]).to(torch.bfloat16)
        logits = torch._weight_int8pack_mm(flat, self.weight_int8, self.scale)
        logits = logits.float().reshape(*states.shape[:-1], -1)
        return logits if self.bias is None else logits + self.bias
