"""make-tokenizer-goldens: tokenizers of the SentencePiece type, of our own making and real.

Small ones are trained here on the lines of make-tokenizer-goldens; the variants dress them as
Llama-2, Mistral, Gemma, Phi-3 and T5 dress theirs. `real()` yields what lies in the data folder.
"""
import base64
import copy
import io
import json
import tempfile
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import Tokenizer

META = "\u2581"
CONTROL, USER_DEFINED, BYTE = 3, 4, 6

# Rules of our own for a small charsmap: what is left of the tab is replaced by what is right.
RULES = [("\ufb01", "fi"), ("\ufb00", "ff"), ("\u017f", "s"), ("\u212b", "\u00c5"), ("\u00bd", "1/2"), ("\t", " "), ("\u00a0", " "),
         ("\u3000", " "), ("\u200b", ""), ("\u0001", ""), ("\u2026", "..."), ("e\u0301", "\u00e9"), ("\u0301", "\u00b4"),
         ("\uff41", "a"), ("\uff41\uff42", "AB")]


def train(goldens, **options):
    writer = io.BytesIO()
    with tempfile.TemporaryDirectory() as name:
        rules = Path(name) / "rules.tsv"
        hexes = lambda text: " ".join(f"{ord(c):X}" for c in text)  # noqa: E731
        rules.write_text("".join(f"{hexes(a)}\t{hexes(b)}\n" for a, b in RULES), encoding="utf-8")
        if options.pop("rules", False):
            options["normalization_rule_tsv"] = str(rules)
        else:
            options["normalization_rule_name"] = "identity"
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([l.replace("\n", " ") for l in goldens.training_lines()]), model_writer=writer,
            num_threads=1, minloglevel=2, hard_vocab_limit=False, **options)
    model = proto.ModelProto.FromString(writer.getvalue())
    model.trainer_spec.ClearField("input")
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    return model.SerializeToString(deterministic=True)


def models(goldens):
    """(name, bytes): tokenizer.model files."""
    llama = dict(model_type="bpe", vocab_size=700, byte_fallback=True, split_digits=True, remove_extra_whitespaces=False)
    yield "bpe", train(goldens, **llama)
    yield "bpe-symbols", train(
        goldens, **{**llama, "vocab_size": 650}, user_defined_symbols=["<|user|>", "the gar", META * 2, "\n", "é"],
        control_symbols=["[INST]", "[/INST]"], rules=True)
    yield "bpe-suffix", train(
        goldens, model_type="bpe", vocab_size=300, treat_whitespace_as_suffix=True, character_coverage=0.98)
    yield "unigram", train(goldens, model_type="unigram", vocab_size=300, rules=True)
    yield "unigram-bytes", train(
        goldens, model_type="unigram", vocab_size=500, byte_fallback=True, remove_extra_whitespaces=False,
        user_defined_symbols=["<|user|>", "ing", "x"], control_symbols=["[INST]"], unk_surface=" <?> ")
    yield "unigram-bare", train(
        goldens, model_type="unigram", vocab_size=280, add_dummy_prefix=False, bos_id=-1, eos_id=-1)


def larger_models(goldens, texts):
    """With SentencePiece's own rules (nmt_nfkc) and on other text: for --check, never written."""
    lines = [text.replace("\n", " ")[:400] for text in texts]
    for kind, size in (("unigram", 4000), ("bpe", 4000)):
        writer = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=writer, num_threads=1, minloglevel=2, hard_vocab_limit=False,
            model_type=kind, vocab_size=size, byte_fallback=kind == "bpe", character_coverage=0.9995)
        yield f"{kind}-nmt-nfkc", writer.getvalue()


def pieces_of(raw):
    model = proto.ModelProto.FromString(raw)
    return model, [(p.piece, p.score, p.type) for p in model.pieces]


def merges_of(pieces):
    """As transformers converts a SentencePiece BPE: every split of a piece into two, by its score."""
    ids = {text: number for number, (text, _, _) in enumerate(pieces)}
    merges = []
    for text, score, kind in pieces:
        if kind == 1:
            cuts = [(text[:i], text[i:]) for i in range(1, len(text)) if text[:i] in ids and text[i:] in ids]
            merges += [(-score, ids[a], ids[b], a, b) for a, b in cuts]
    return [[a, b] for _, _, _, a, b in sorted(merges)]


def special(number, content, **options):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True, **options}


def template(bos, eos=None):
    item = lambda name, number: ({"SpecialToken": {"id": name, "type_id": 0}}, {name: {"id": name, "ids": [number], "tokens": [name]}})  # noqa: E731
    first, tokens = item(*bos)
    single = [first, {"Sequence": {"id": "A", "type_id": 0}}]
    if eos:
        last, more = item(*eos)
        single, tokens = single + [last], {**tokens, **more}
    return {"type": "TemplateProcessing", "single": single, "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": tokens}


def chain(*decoders):
    return {"type": "Sequence", "decoders": list(decoders)}


def replace(pattern, content, kind="String"):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def metaspace(scheme="always", **options):
    return {"type": "Metaspace", "replacement": META, "prepend_scheme": scheme, **options}


SPACES_BACK = replace(META, " ")
LLAMA_DECODER = chain(SPACES_BACK, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})
PREPEND = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": META}, replace(" ", META)]}


def bpe_json(raw):
    _, pieces = pieces_of(raw)
    whole = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": PREPEND, "pre_tokenizer": None, "post_processor": template(("<s>", 1)), "decoder": LLAMA_DECODER,
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": {text: i for i, (text, _, _) in enumerate(pieces)}, "merges": merges_of(pieces)},
    }
    return whole


def charsmap(raw):
    return base64.b64encode(proto.ModelProto.FromString(raw).normalizer_spec.precompiled_charsmap).decode()


def unigram_json(raw):
    _, pieces = pieces_of(raw)
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": charsmap(raw)}, replace(" {2,}", " ", "Regex")]},
        "pre_tokenizer": metaspace(), "post_processor": template(("<s>", 1), ("</s>", 2)), "decoder": metaspace(),
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": [[text, score] for text, score, _ in pieces]},
    }


def bpe_variants(whole):
    """(name, top-level parts, model fields) of bpe.json"""
    vocab = whole["model"]["vocab"]
    first = len(vocab)
    base = whole["added_tokens"]
    phi = [special(first, "<|user|>", rstrip=True), special(first + 1, "<|end|>", rstrip=True),
           special(first + 2, "<|assistant|>", rstrip=True, lstrip=True)]
    gemma = [special(first, "<start_of_turn>"), special(first + 1, "\n\n", special=False),
             special(vocab[META + META] if META + META in vocab else first + 2, META + META, special=False)]
    odd = [special(first, "dog", special=False, single_word=True), special(first + 1, "fence", special=False, normalized=True),
           special(vocab[META + "small"], META + "small", special=False, normalized=True)]
    some = {t: i for t, i in vocab.items() if not t.startswith("<0x") or t < "<0x90>"}
    some = {t: i for i, t in enumerate(some)}
    yield "llama2", {}, {}
    yield "llama2 strings", {}, {"merges": [" ".join(m) for m in whole["model"]["merges"]]}
    yield "mistral", {"normalizer": None, "pre_tokenizer": metaspace("first", split=False)}, {}
    yield "metaspace always", {"normalizer": None, "pre_tokenizer": metaspace("always", split=True), "decoder": metaspace()}, {}
    yield "metaspace never", {"normalizer": None, "pre_tokenizer": metaspace("never", split=True), "decoder": metaspace("never")}, {}
    yield "gemma", {
        "normalizer": replace(" ", META), "added_tokens": base + gemma, "post_processor": template(("<s>", 1)),
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        "decoder": chain(SPACES_BACK, {"type": "ByteFallback"}, {"type": "Fuse"})}, {}
    yield "phi3", {"added_tokens": base + phi}, {}
    yield "added", {"added_tokens": base + odd}, {}
    yield "no fallback", {}, {"byte_fallback": False}
    yield "no fallback, unfused", {}, {"byte_fallback": False, "fuse_unk": False}
    yield "half fallback", {}, {"vocab": some, "merges": [m for m in whole["model"]["merges"]]}
    yield "ignore merges", {"normalizer": None, "pre_tokenizer": metaspace("first", split=True)}, {"ignore_merges": True}
    yield "nfkc lower strip", {"normalizer": {"type": "Sequence", "normalizers": [
        {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "NFKC"}, {"type": "Lowercase"},
        {"type": "Prepend", "prepend": META}, replace(" ", META)]}, "decoder": chain(
            replace("[" + META + "]", " ", "Regex"), {"type": "ByteFallback"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0})}, {}


def unigram_variants(whole):
    first = len(whole["model"]["vocab"])
    base = whole["added_tokens"]
    vocab = whole["model"]["vocab"]
    fallback = vocab + [[f"<0x{b:02X}>", -20.0] for b in range(256)]
    yield "t5", {}, {}
    yield "white space split", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace()]}}, {}
    yield "bytes", {"decoder": chain({"type": "ByteFallback"}, metaspace())}, {"vocab": fallback, "byte_fallback": True}
    yield "no normalizer", {"normalizer": None, "pre_tokenizer": metaspace("first", split=False)}, {}
    yield "added", {"added_tokens": base + [special(first, "<extra_id_0>"), special(first + 1, "dog", special=False, single_word=True)]}, {}
    yield "nfd", {"normalizer": {"type": "NFD"}}, {}


def rewrites_added(parts):
    """Since 0.22 `tokenizers` decodes an added token of this kind to its normalised content, and does not
    leave out a special one; ours gives the content, as older ones do."""
    return any(token["normalized"] for token in parts.get("added_tokens", []))


def patched(whole, parts, fields):
    whole = copy.deepcopy(whole)
    whole.update(parts)
    whole["model"].update(fields)
    return whole


def llama3_json(data):
    """Llama-3's tokenizer.json out of its tiktoken file, as transformers converts it."""
    ranks = {}
    for line in (data / "tokenizers" / "llama3" / "tokenizer.model").read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = {b: chr(b) for b in printable}
    alphabet.update({b: chr(0x100 + i) for i, b in enumerate(b for b in range(256) if b not in alphabet)})
    spell = lambda raw: "".join(alphabet[b] for b in raw)  # noqa: E731
    merges = []
    for token, rank in ranks.items():
        cuts = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in ranks and token[i:] in ranks]
        merges += [[spell(a), spell(b)] for a, b in sorted(cuts, key=lambda c: (ranks[c[0]], ranks[c[1]]))]
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokens = [special(len(ranks) + i, name) for i, name in enumerate(names)]
    return ranks, tokens, {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": {"type": "Sequence", "processors": [
            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
            template(("<|begin_of_text|>", len(ranks)))]},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                  "vocab": {spell(t): r for t, r in ranks.items()}, "merges": merges},
    }


LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def load(whole):
    return Tokenizer.from_str(whole if isinstance(whole, str) else json.dumps(whole))


def processor(raw):
    return sentencepiece.SentencePieceProcessor(model_proto=raw)


def real_models(data):
    """(name, bytes) of the SentencePiece files of the data folder."""
    folder = data / "tokenizers"
    yield "mistral-v1", (folder / "mistral" / "tokenizer.model.v1").read_bytes()
    yield "mistral-v2", (folder / "mistral" / "mistral_instruct_tokenizer_240216.model.v2").read_bytes()
    yield "mistral-v3", (folder / "mistral" / "mistral_instruct_tokenizer_240323.model.v3").read_bytes()
