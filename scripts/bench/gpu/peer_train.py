#!/usr/bin/env python3
"""Training tokens/s of PyTorch and transformers, one JSON line a variant: as written, then compiled.

LlamaForCausalLM in bf16 with SDPA, its own loss, clip_grad_norm_ and torch.optim.AdamW(fused=True) on plain
bf16 weights and moments: 6 bytes of state and 2 of gradient a weight, the fewest that PyTorch offers, and
fewer than holdfast's fp32 masters take. With --lora PEFT's adapters on all linear layers, in bf16 as well. "compiled"
is torch.compile on each block and on the loss, which takes seconds where the whole model takes minutes. A pass that
does not fit is tried with half the tokens, then with gradient checkpointing.

With --chats documents have many lengths, and a pass is a batch of them as transformers' Trainer and TRL make it:
padded on the right to its longest, with an attention mask; prompts and padding carry no loss, which is divided by
the targets of the step. Each of --batch is tried with the documents as they come, each of --grouped-batch with those
of like length together (group_by_length, over as many documents as a step has). Only the documents' own tokens count.
"compiled" then is torch.compile(dynamic=True). What is left out: padding_free, which wants flash-attn.
"""

import argparse
import gc

import torch

from peer import CUDA, DEVICE, chat_length, memory_gib, name_of, random_model, rates, result, timed


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("config")
    parser.add_argument("--tokens-per-pass", type=int, default=16384)
    parser.add_argument("--tokens-per-step", type=int, default=16384)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--chats", type=int, default=0, metavar="N", help="documents of a step, of many lengths")
    parser.add_argument("--batch", default="8", help="comma-separated: chats of a pass")
    parser.add_argument("--grouped-batch", default="16", help="the same, of those sorted by length")
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
        block.compile(dynamic=True if options.chats else None)
    llama.loss_function = torch.compile(llama.loss_function, dynamic=True if options.chats else None)


def checkpointing(model, options):
    llama = llama_of(model, options)
    llama.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if options.lora:
        llama.enable_input_require_grads()


def step(model, optimizer, weights, passes):
    total = torch.zeros((), device=DEVICE)
    for batch in passes:
        loss = model(**batch, use_cache=False).loss
        if "num_items_in_batch" not in batch:
            loss = loss / len(passes)
        loss.backward()
        total += loss.detach()
    torch.nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total


def even_passes(options, vocabulary, tokens_per_pass):
    ids = torch.randint(0, vocabulary, (options.tokens_per_step // options.length, options.length), device=DEVICE)
    return [{"input_ids": part, "labels": part} for part in ids.split(tokens_per_pass // options.length)]


def padded(documents, targets):
    """A batch as data collators make it. The first third of a chat stands for its prompt."""
    columns = {"input_ids": (documents, 0), "attention_mask": ([torch.ones_like(ids) for ids in documents], 0),
               "labels": ([ids.index_fill(0, torch.arange(len(ids) // 3), -100) for ids in documents], -100)}
    batch = {name: torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value).to(DEVICE)
             for name, (rows, value) in columns.items()}
    return {**batch, "num_items_in_batch": targets}


def chat_passes(options, vocabulary, size, grouped):
    lengths = chat_lengths(options)
    documents = [torch.randint(0, vocabulary, (length,))
                 for length in (sorted(lengths, reverse=True) if grouped else lengths)]
    targets = torch.tensor(chat_targets(lengths), device=DEVICE)
    passes = [padded(documents[first:first + size], targets) for first in range(0, len(documents), size)]
    assert sum(int((batch["labels"][:, 1:] != -100).sum()) for batch in passes) == targets
    return passes


def chat_lengths(options):
    return [chat_length(index, options.length) for index in range(options.chats)]


def chat_targets(lengths):
    """The first token of a document is never one."""
    return sum(length - max(length // 3, 1) for length in lengths)


def measure(model, options, make_passes):
    """Seconds of the timed steps, the losses of all, and the passes."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=options.lr, betas=(0.9, 0.95), weight_decay=0.1, fused=CUDA)
    passes = make_passes(llama_of(model, options).config.vocab_size)
    losses = []
    seconds = [timed(lambda: losses.append(step(model, optimizer, weights, passes)))
               for _ in range(options.warmup_steps + options.steps)]
    return seconds, [loss.item() for loss in losses], passes


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
            seconds, losses, passes = measure(
                model, options, lambda vocabulary: even_passes(options, vocabulary, tokens))
        except torch.OutOfMemoryError:
            print(f"# {variant}: {tokens} tokens a pass do not fit", flush=True)
            continue
        documents = options.tokens_per_step // options.length
        report(options, variant, seconds, losses, tokens_per_pass=tokens, passes=len(passes), documents=documents,
               tokens_per_step=options.tokens_per_step, targets_per_step=options.tokens_per_step - documents,
               details="checkpointing" if checkpointed else "")
        return
    print(f"# {variant}: does not fit", flush=True)


def report(options, variant, seconds, losses, **counts):
    result(what="train", model=name_of(options.config), mode=f"lora{options.lora}" if options.lora else "full",
           variant=variant, length=options.length, **counts,
           **rates(seconds[options.warmup_steps:], counts["tokens_per_step"]), memory_gib=memory_gib(),
           warmup_seconds=sum(seconds[:options.warmup_steps]), loss_first=losses[0], loss_last=losses[-1])


def run_chats(model, options, variant, size, grouped):
    name = f"{'grouped ' if grouped else ''}{size}"
    forget(model)
    try:
        seconds, losses, passes = measure(
            model, options, lambda vocabulary: chat_passes(options, vocabulary, size, grouped))
    except torch.OutOfMemoryError:
        print(f"# {variant}: batches of {name} do not fit", flush=True)
        return
    lengths = chat_lengths(options)
    computed = [batch["input_ids"].numel() for batch in passes]
    report(options, variant, seconds, losses, tokens_per_pass=max(computed), passes=len(passes),
           documents=len(lengths), tokens_per_step=sum(lengths), targets_per_step=chat_targets(lengths),
           details=f"{name}, {1 - sum(lengths) / sum(computed):.0%} padding")


def main():
    options = arguments()
    model = model_open(options)
    for variant in options.variants.split(","):
        if variant == "compiled":
            compile_parts(model, options)
        if not options.chats:
            run_variant(model, options, variant)
            continue
        for sizes, grouped in ((options.batch, False), (options.grouped_batch, True)):
            for size in map(int, sizes.split(",")):
                run_chats(model, options, variant, size, grouped)


main()
