#!/usr/bin/env python3
"""Tokens/s of transformers' generate(), one JSON line a batch size and variant.

bf16, SDPA, random weights; prompts of one length, so nothing is padded. One batch is timed, its prompts read
included: more prompts are more batches of the same. With --uneven a batch goes on until its longest reply ends, as
it would with stop tokens, and only the tokens wanted of each reply count; batches are timed until there are 64
replies, whose mean is --new. Tokens are drawn at the given temperature without top-k and top-p.

Variants: "eager" has the default cache; "static" the static cache, with which generate() compiles the decoding step;
"continuous" is not generate() but what transformers has for uneven replies, with --batch requests at a time.
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
    parser.add_argument("--prompts", type=int, default=1024, help="of continuous (%(default)s)")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def generate(model, ids, options, variant, new_tokens):
    sampled = {"do_sample": True, "temperature": options.temperature, "top_k": 0, "top_p": 1.0}
    return model.generate(ids, max_new_tokens=new_tokens, min_new_tokens=new_tokens, pad_token_id=0,
                          cache_implementation="static" if variant == "static" else None,
                          **(sampled if options.temperature > 0 else {"do_sample": False}))


def lengths_of(options, count):
    return [reply_length(index, options.new) if options.uneven else options.new for index in range(count)]


def forget():
    gc.collect()
    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def run(model, options, variant, batch):
    ids = torch.randint(0, model.config.vocab_size, (batch, options.prompt_length), device=DEVICE)
    prompts = -(-64 // batch) * batch if options.uneven else batch
    lengths = lengths_of(options, prompts)
    longest = [max(lengths[first:first + batch]) for first in range(0, prompts, batch)]
    forget()
    # The static cache is as long as the reply: a warm-up of full length meets no new shape later.
    warm = timed(lambda: generate(model, ids, options, variant, longest[0] if variant == "static" else 8))
    shapes = []
    seconds = timed(lambda: shapes.extend(tuple(generate(model, ids, options, variant, new).shape) for new in longest))
    assert shapes == [(batch, options.prompt_length + new) for new in longest], f"replies of another length: {shapes}"
    report(options, variant, batch, lengths, seconds, warm)


def report(options, variant, batch, lengths, seconds, warm):
    result(what="generate", model=name_of(options.config), mode="", variant=variant, batch=batch, prompts=len(lengths),
           details="uneven" if options.uneven else "", length=options.prompt_length + options.new,
           reply_tokens=sum(lengths), seconds=seconds, warmup_seconds=warm, **rates([seconds], sum(lengths)),
           memory_gib=memory_gib())


def reply_all(manager, prompts, lengths):
    for ids, new in zip(prompts, lengths):
        manager.add_request(ids, max_new_tokens=new)
    counts = []
    while len(counts) < len(lengths):
        reply = manager.get_result(timeout=1)
        if reply is None and not manager.is_running() or reply is not None and reply.error is not None:
            raise RuntimeError(f"continuous batching ended: {reply.error if reply else 'no reason given'}")
        if reply is not None and reply.is_finished():
            counts.append(len(reply.generated_tokens))
    assert sorted(counts) == sorted(lengths), "replies of other lengths"


def run_continuous(model, options, batch):
    from transformers import ContinuousBatchingConfig, GenerationConfig
    from transformers.generation.continuous_batching.utils import WorkloadHints
    prompts = torch.randint(0, model.config.vocab_size, (options.prompts, options.prompt_length)).tolist()
    lengths = lengths_of(options, options.prompts)
    sampling = GenerationConfig(do_sample=options.temperature > 0, temperature=options.temperature, top_k=0, top_p=1.0,
                                max_new_tokens=max(lengths), eos_token_id=None, pad_token_id=0)
    hints = WorkloadHints(max_prompt_length=options.prompt_length, max_generated_length=max(lengths),
                          num_requests=options.prompts)
    # On a GPU it chooses from the memory that is free; on a CPU it would take all of it.
    tiny = {} if CUDA else {"num_blocks": 64, "max_batch_tokens": 512}
    forget()
    with model.continuous_batching_context_manager(
            generation_config=sampling, workload_hints=hints, block=True, timeout=5,
            continuous_batching_config=ContinuousBatchingConfig(max_requests_per_batch=batch, **tiny)) as manager:
        warm = timed(lambda: reply_all(manager, prompts[:batch], lengths[:batch]))
        seconds = timed(lambda: reply_all(manager, prompts, lengths))
    report(options, "continuous", batch, lengths, seconds, warm)


def main():
    options = arguments()
    model = random_model(options.config, options.seed).eval()
    model.generation_config.eos_token_id = None
    with torch.no_grad():
        for variant in options.variants.split(","):
            for batch in map(int, options.batch.split(",")):
                try:
                    if variant == "continuous":
                        run_continuous(model, options, batch)
                    else:
                        run(model, options, variant, batch)
                except torch.OutOfMemoryError:
                    print(f"# {variant}: {batch} replies do not fit", flush=True)


main()
