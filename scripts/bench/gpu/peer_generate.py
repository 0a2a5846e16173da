#!/usr/bin/env python3
"""Tokens/s of transformers' generate(), one JSON line a batch size and variant.

bf16, SDPA, random weights; prompts of one length, so nothing is padded. One batch is timed, its prompts read
included: more prompts are more batches of the same. With --uneven a batch goes on until its longest reply ends, as
it would with stop tokens, and only the tokens wanted of each reply count; batches are timed until there are 64
replies, whose mean is --new. Tokens are drawn at the given temperature without top-k and
top-p. "eager" has the default cache; "static" the static cache, with which generate() compiles the decoding step.
"""

import argparse
import gc

import torch

from peer import CUDA, DEVICE, memory_gib, name_of, random_model, rates, reply_length, result, timed


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("config")
    parser.add_argument("--batch", default="256", help="comma-separated")
    parser.add_argument("--variants", default="eager,static")
    parser.add_argument("--prompt-length", type=int, default=40)
    parser.add_argument("--new", type=int, default=150)
    parser.add_argument("--uneven", action="store_true", help="replies of 1 to 2 new - 1 tokens, --new on average")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def generate(model, ids, options, variant, new_tokens):
    sampled = {"do_sample": True, "temperature": options.temperature, "top_k": 0, "top_p": 1.0}
    return model.generate(ids, max_new_tokens=new_tokens, min_new_tokens=new_tokens, pad_token_id=0,
                          cache_implementation="static" if variant == "static" else None,
                          **(sampled if options.temperature > 0 else {"do_sample": False}))


def run(model, options, variant, batch):
    ids = torch.randint(0, model.config.vocab_size, (batch, options.prompt_length), device=DEVICE)
    prompts = -(-64 // batch) * batch if options.uneven else batch
    lengths = [reply_length(i, options.new) if options.uneven else options.new for i in range(prompts)]
    longest = [max(lengths[first:first + batch]) for first in range(0, prompts, batch)]
    gc.collect()
    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    # The static cache is as long as the reply: a warm-up of full length meets no new shape later.
    warm = timed(lambda: generate(model, ids, options, variant, longest[0] if variant == "static" else 8))
    shapes = []
    seconds = timed(lambda: shapes.extend(tuple(generate(model, ids, options, variant, new).shape) for new in longest))
    assert shapes == [(batch, options.prompt_length + new) for new in longest], f"replies of another length: {shapes}"
    result(what="generate", model=name_of(options.config), mode="", variant=variant, batch=batch, prompts=prompts,
           details="uneven" if options.uneven else "", length=options.prompt_length + options.new,
           reply_tokens=sum(lengths), seconds=seconds, warmup_seconds=warm, **rates([seconds], sum(lengths)),
           memory_gib=memory_gib())


def main():
    options = arguments()
    model = random_model(options.config, options.seed).eval()
    model.generation_config.eos_token_id = None
    with torch.no_grad():
        for variant in options.variants.split(","):
            for batch in map(int, options.batch.split(",")):
                try:
                    run(model, options, variant, batch)
                except torch.OutOfMemoryError:
                    print(f"# {variant}: {batch} replies do not fit", flush=True)


main()
