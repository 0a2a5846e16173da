#!/usr/bin/env python3
"""What the card reaches through PyTorch: bf16 products, a copy, and SDPA's attention kernels.

Same counting as gpu_operations: 2 M N K a product; attention the causal half, 2 H D T (T + 1) a document forward
and 2.5 times that backward.
"""

import argparse
import statistics

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from peer import CUDA, DEVICE, result, timed

DTYPE = torch.bfloat16


def rate(function, work, calls=10, stretches=5):
    timed(function)
    timed(function)
    seconds = [timed(lambda: [function() for _ in range(calls)]) / calls for _ in range(stretches)]
    return {"rate": work / statistics.median(seconds), "least": work / max(seconds), "most": work / min(seconds),
            "ms": 1e3 * statistics.median(seconds)}


def scaled(figures, factor):
    return {key: value if key == "ms" else value * factor for key, value in figures.items()}


def peak(side):
    a, b = (torch.randn(side, side, device=DEVICE, dtype=DTYPE) for _ in "ab")
    out = torch.empty_like(a)
    result(what="peak", model="", details=f"{side} cubed", unit="TFLOP/s",
           **scaled(rate(lambda: torch.mm(a, b.t(), out=out), 2 * side**3), 1e-12))


def copy(count):
    a = torch.randn(count, device=DEVICE, dtype=DTYPE)
    b = torch.empty_like(a)
    result(what="copy", model="", details="copy", unit="GB/s", **scaled(rate(lambda: b.copy_(a), 4 * count), 1e-9))


def attention(heads, key_value_heads, size, length, tokens):
    count = tokens // length
    q = torch.randn(count, heads, length, size, device=DEVICE, dtype=DTYPE, requires_grad=True)
    k, v = (torch.randn(count, key_value_heads, length, size, device=DEVICE, dtype=DTYPE, requires_grad=True)
            for _ in "kv")
    grad = torch.randn_like(q)
    work = 2 * heads * size * length * (length + 1) * count
    details = f"{heads}/{key_value_heads} heads of {size}, {count} x {length} tokens"
    kinds = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION} if CUDA else {
        "math": SDPBackend.MATH}
    for kind, backend in kinds.items():
        try:
            with sdpa_kernel(backend):
                call = lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
                with torch.no_grad():
                    forward = rate(call, work)
                out = call()
                backward = rate(lambda: torch.autograd.grad(out, (q, k, v), grad, retain_graph=True), 2.5 * work)
        except RuntimeError as error:
            print(f"# {kind}: {details}: {str(error).splitlines()[0]}", flush=True)
            continue
        for what, figures in (("attention_forward", forward), ("attention_backward", backward)):
            result(what=what, model="", variant=kind, details=details, unit="TFLOP/s", **scaled(figures, 1e-12))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--tokens", type=int, default=16384)
    parser.add_argument("--no-attention", action="store_true")
    options = parser.parse_args()
    peak(options.side)
    copy(options.tokens * options.side)
    if options.no_attention:
        return
    length = min(1024, options.tokens)
    while length <= min(8192, options.tokens):
        attention(64, 8, 128, length, options.tokens)
        length *= 2


main()
