"""make-tokenizer-goldens --check: whole tokenizer.json files as the families have them.

The vocabularies are trained here, on the lines that are compared; pre-tokenizers, normalizers,
post-processors, decoders, options of the model and added tokens are those of OLMo-2 and 3,
SmolLM3 (Llama-3's), Phi-4-mini, Granite 3 (StarCoder's) and Gemma-3. `SPECIAL` ones are called so.
"""
import json

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

META = "\u2581"
COUNT = 4000
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
STARCODER = ["<|end_of_text|>", "<fim_prefix>", "<fim_middle>", "<filename>", "<gh_stars>", "<jupyter_code>", "<reponame>"]
GEMMA_FIRST = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
GEMMA_BYTES = [f"<0x{b:02X}>" for b in range(256)]


def runs(text, count):
    return [text * n for n in range(2, count)]


def byte_level(goldens, lines, pre, special, plain=(), post=None, **fields):
    """A byte-level BPE; the added tokens come last, as where a model's vocabulary was extended."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=COUNT, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    whole = json.loads(tokenizer.to_str())
    first = len(whole["model"]["vocab"])
    names = [*special, *plain]
    return {**whole, "pre_tokenizer": pre, "post_processor": post, "decoder": goldens.byte_level(),
            "added_tokens": [goldens.added(first + i, name, special=i < len(special)) for i, name in enumerate(names)],
            "model": {**whole["model"], **fields}}


def begins_with(token, number):
    single = [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    return {"type": "TemplateProcessing", "single": single, "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {token: {"id": token, "ids": [number], "tokens": [token]}}}


def gemma(goldens, lines):
    """Merges run over whole texts: no piece ends at a space, as the normalizer leaves none."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", META)
    added = ["<start_of_turn>", "<end_of_turn>", *runs("\n", 32), *runs(META, 32), *runs("\t", 32),
             "<table>", "</h1>", "<start_of_image>", *[f"<unused{n}>" for n in range(6242)]]
    tokenizer.train_from_iterator([line for line in lines if len(line) < 200], trainers.BpeTrainer(
        vocab_size=COUNT, show_progress=False, limit_alphabet=600, special_tokens=[*GEMMA_FIRST, *GEMMA_BYTES]))
    whole = json.loads(tokenizer.to_str())
    vocab = whole["model"]["vocab"]
    for name in added:
        vocab.setdefault(name, len(vocab))
    special = {*GEMMA_FIRST, "<start_of_turn>", "<end_of_turn>", "<start_of_image>"}
    return {**whole, "pre_tokenizer": goldens.split(" ", "MergedWithPrevious", kind="String"),
            "post_processor": begins_with("<bos>", 2),
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": META}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
            "added_tokens": [goldens.added(vocab[name], name, special=name in special) for name in [*GEMMA_FIRST, *added]]}


def pipelines(goldens, lines):
    """(name, the whole file)"""
    bare, turns = goldens.byte_level(use_regex=False), ["<|im_start|>", "<|im_end|>"]
    cut = lambda pattern, *how: goldens.sequence(goldens.split(pattern, *how), bare)  # noqa: E731
    llama = {"type": "Sequence", "processors": [bare, begins_with("<|begin_of_text|>", COUNT)]}
    yield "OLMo-2", byte_level(
        goldens, lines, cut(goldens.LLAMA3, "Removed", True), ["<|endoftext|>", *turns, "<|pad|>"],
        ["|||PHONE_NUMBER|||", "|||EMAIL_ADDRESS|||", "<|extra_id_0|>"], bare)
    yield "OLMo-3", byte_level(
        goldens, lines, cut(goldens.LLAMA3), ["<|endoftext|>", *turns, "<|pad|>"],
        ["|||IP_ADDRESS|||", "<functions>", "</functions>", "<function_calls>", "</function_calls>"])
    yield "SmolLM3", byte_level(
        goldens, lines, cut(goldens.LLAMA3), ["<|begin_of_text|>", "<|end_of_text|>", *turns],
        ["<think>", "</think>", "<tool_call>", "</tool_call>", "<code>"], llama, ignore_merges=True)
    yield "Phi-4-mini", byte_level(
        goldens, lines, cut(O200K, "Removed", True), ["<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>"])
    yield "Granite 3", byte_level(
        goldens, lines, goldens.sequence(goldens.digits(True), goldens.byte_level()),
        [*STARCODER, "<|start_of_role|>", "<|end_of_role|>", "<|tool_call|>"], ["<|start_of_cite|>"], goldens.byte_level())
    yield "Gemma-3", gemma(goldens, lines)


def strewn(pipeline, lines, dice):
    """The lines, some with an added token of the file, or runs of white space, somewhere in them."""
    names = [token["content"] for token in pipeline["added_tokens"]]
    for line in lines:
        at = dice.randint(0, len(line))
        kind = dice.randrange(4)
        put = dice.choice(names) if kind == 0 else dice.choice("\n\t \u2581\r") * dice.randint(1, 40) if kind == 1 else ""
        yield line[:at] + put + line[at:]
