"""What the PyTorch side of the GPU benchmarks shares."""

import json
import os
import statistics
import time

import torch

CUDA = torch.cuda.is_available() and not os.environ.get("PEER_CPU")
DEVICE = "cuda" if CUDA else "cpu"  # the CPU only to try the programs with a tiny model


def wait():
    if CUDA:
        torch.cuda.synchronize()


def result(**fields):
    """One JSON line, at once: what comes after it may run out of its time."""
    print(json.dumps({"side": "peer", "device": torch.cuda.get_device_name() if CUDA else "cpu",
                      "versions": versions(), **fields}), flush=True)


def versions():
    import importlib.metadata as metadata
    return ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "transformers"))


def rates(seconds, work):
    """Median, least and most of work per second."""
    return {"tokens_per_second": work / statistics.median(seconds),
            "least": work / max(seconds), "most": work / min(seconds)}


def memory_gib():
    """The most that tensors took (the allocator had reserved more)."""
    return torch.cuda.max_memory_allocated() / 2**30 if CUDA else 0.0


def random_model(path, seed):
    """A Llama of random bf16 weights, made on the device."""
    from transformers import LlamaConfig, LlamaForCausalLM
    torch.manual_seed(seed)
    config = LlamaConfig(**json.load(open(path)))
    config._attn_implementation = "sdpa"
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(DEVICE):
            model = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    assert model.lm_head.weight.dtype == torch.bfloat16 and model.config._attn_implementation == "sdpa"
    return model


def reply_length(index, mean):
    """As reply_length() of gpu_bench.c, which says what it is."""
    spread = index * 2654435769 % 2**32
    return 1 + (spread * (2 * mean - 1) >> 32)


def scatter(bits):
    bits = (bits ^ bits >> 16) * 0x85EBCA6B % 2**32
    bits = (bits ^ bits >> 13) * 0xC2B2AE35 % 2**32
    return bits ^ bits >> 16


def chat_length(index, longest):
    """As chat_length() of gpu_bench_packs.c, which says what it is."""
    u = 2 * (scatter(index + 1) >> 16) + 1
    length = 4
    while length < longest and (length + 1) ** 3 * (2**17 - u) <= 150**3 * u:
        length += 1
    return length


def timed(function):
    wait()
    start = time.perf_counter()
    function()
    wait()
    return time.perf_counter() - start


def name_of(path):
    return os.path.basename(path).removesuffix(".json")
