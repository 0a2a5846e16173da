#!/usr/bin/env python3
"""Training tokens/s of PyTorch and transformers, one JSON line a variant: as written, then compiled.

LlamaForCausalLM in bf16 with SDPA, its own loss, clip_grad_norm_ and torch.optim.AdamW(fused=True) on plain
bf16 weights and moments: 6 bytes of state and 2 of gradient a weight, the fewest that PyTorch offers, and
fewer than holdfast's fp32 masters take. With --lora PEFT's adapters on all linear layers, in bf16 as well. "compiled" is torch.compile on each block and on the loss, which takes seconds where the whole
model takes minutes. A pass that does not fit is tried with half the tokens, then with gradient checkpointing.
"""

import argparse
import gc

import torch

from peer import CUDA, DEVICE, memory_gib, name_of, random_model, rates, result, timed


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("config")
    parser.add_argument("--tokens-per-pass", type=int, default=16384)
    parser.add_argument("--tokens-per-step", type=int, default=16384)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--lora", type=int, default=0, metavar="RANK")
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--variants", default="eager,compiled")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup-steps", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def model_open(options):
    model = random_model(options.config, options.seed)
    model.config.use_cache = False
    model.train()
    if options.lora:
        from peft import LoraConfig, get_peft_model
        model = get_peft_model(model, LoraConfig(r=options.lora, lora_alpha=2 * options.lora, lora_dropout=0.0,
                                                 target_modules="all-linear", task_type="CAUSAL_LM"),
                               autocast_adapter_dtype=False)
    return model


def llama_of(model, options):
    return model.get_base_model() if options.lora else model


def compile_parts(model, options):
    llama = llama_of(model, options)
    for block in llama.model.layers:
        block.compile()
    llama.loss_function = torch.compile(llama.loss_function)


def checkpointing(model, options):
    llama = llama_of(model, options)
    llama.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if options.lora:
        llama.enable_input_require_grads()


def step(model, optimizer, weights, passes):
    total = torch.zeros((), device=DEVICE)
    for ids in passes:
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss / len(passes)
        loss.backward()
        total += loss.detach()
    torch.nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def measure(model, options, tokens_per_pass):
    """Seconds of the timed steps, and the losses of all."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=options.lr, betas=(0.9, 0.95), weight_decay=0.1, fused=CUDA)
    ids = torch.randint(0, llama_of(model, options).config.vocab_size,
                        (options.tokens_per_step // options.length, options.length), device=DEVICE)
    passes = ids.split(tokens_per_pass // options.length)
    losses = []
    seconds = [timed(lambda: losses.append(step(model, optimizer, weights, passes)))
               for _ in range(options.warmup_steps + options.steps)]
    return seconds, [loss.item() for loss in losses]


def forget(model):
    for weight in model.parameters():
        weight.grad = None
    gc.collect()
    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def attempts(options, checkpointed):
    """(tokens of a pass, checkpointing), from the fastest to the smallest."""
    for wanted in (checkpointed, True):
        tokens = options.tokens_per_pass
        while tokens >= options.length:
            yield tokens, wanted
            tokens = tokens // 2 // options.length * options.length


def run_variant(model, options, variant):
    llama = llama_of(model, options)
    for tokens, checkpointed in attempts(options, options.checkpointing or llama.is_gradient_checkpointing):
        forget(model)
        if checkpointed and not llama.is_gradient_checkpointing:
            checkpointing(model, options)
        try:
            seconds, losses = measure(model, options, tokens)
        except torch.OutOfMemoryError:
            print(f"# {variant}: {tokens} tokens a pass do not fit", flush=True)
            continue
        timed_seconds = seconds[options.warmup_steps:]
        result(what="train", model=name_of(options.config), mode=f"lora{options.lora}" if options.lora else "full",
               variant=variant, details="checkpointing" if checkpointed else "", length=options.length,
               tokens_per_pass=tokens, tokens_per_step=options.tokens_per_step,
               **rates(timed_seconds, options.tokens_per_step), memory_gib=memory_gib(),
               warmup_seconds=sum(seconds[:options.warmup_steps]), loss_first=losses[0], loss_last=losses[-1])
        return
    print(f"# {variant}: does not fit", flush=True)


def main():
    options = arguments()
    model = model_open(options)
    for variant in options.variants.split(","):
        if variant == "compiled":
            compile_parts(model, options)
        run_variant(model, options, variant)


main()
