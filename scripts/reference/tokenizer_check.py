"""make-tokenizer-goldens --check: our C code against `tokenizers` and `transformers`.

Compiles base/ and the tokenizer's part of text/ into a shared library in a temporary
folder and calls it with ctypes.
"""
import ctypes as C
import json
import random
import subprocess
import tempfile
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = (
    "added_tokens bpe bpe_characters bpe_trainer byte_level charsmap decoder normalizer pretokenizer protobuf "
    "split_pattern string_table unicode unigram vocabulary"
).split()
BASE = "error file file_tree file_writer json json_get json_scan json_string json_writer memory repeated_string text_buffer".split()
ENCODE_SPECIAL, ENCODE_ADD_BOS = 1, 2


class Ids(C.Structure):
    _fields_ = [("items", C.POINTER(C.c_int32)), ("count", C.c_size_t), ("capacity", C.c_size_t)]


class Bytes(C.Structure):
    _fields_ = [("items", C.POINTER(C.c_ubyte)), ("count", C.c_size_t), ("capacity", C.c_size_t)]


class Buffer(C.Structure):
    _fields_ = [("data", C.c_void_p), ("length", C.c_size_t), ("capacity", C.c_size_t)]


class Error(C.Structure):
    _fields_ = [("status", C.c_int), ("message", C.c_char * 1024)]


class Variable(C.Structure):
    _fields_ = [("name", C.c_char_p), ("text", C.c_char_p)]


class Message(C.Structure):
    _fields_ = [("role", C.c_char_p), ("content", C.c_char_p)]


def text_sources(chat):
    patterns = ["tokenizer*.c", "sentencepiece_*.c"] + (["chat*.c", "jinja*.c"] if chat else [])
    found = [path for pattern in patterns for path in sorted((ROOT / "text").glob(pattern))]
    return [f"text/{name}.c" for name in MODULES] + [f"text/{path.name}" for path in found]


def compile_library(folder, chat):
    path = Path(folder) / "libtext.so"
    flags = subprocess.check_output(
        ["pkg-config", "--cflags", "--libs", "libcjson", "libpcre2-8", "libutf8proc", "nettle"], text=True).split()
    sources = [f"base/{name}.c" for name in BASE] + text_sources(chat)
    subprocess.check_call(
        ["cc", "-std=c11", "-O3", "-fPIC", "-shared", "-I.", "-D_GNU_SOURCE", "-o", path, *sources, *flags, "-lm"], cwd=ROOT)
    library = C.CDLL(str(path))
    library.bpe_trainer_create.restype = C.c_void_p
    library.tokenizer_warnings.restype = C.c_char_p
    library.cJSON_Parse.restype = C.c_void_p
    if chat:
        library.chat_template_chatml_source.restype = C.c_char_p
    return library


class Library:
    def __init__(self, folder, chat=True):
        self.c = compile_library(folder, chat)

    def taken(self, buffer):
        raw = C.string_at(buffer.data, buffer.length) if buffer.length else b""
        self.c.text_buffer_release(C.byref(buffer))
        return raw

    def raise_if(self, status, error):
        if status:
            raise ValueError(error.message.decode())

    def train(self, texts, count, special):
        trainer, out, error = C.c_void_p(self.c.bpe_trainer_create()), Buffer(), Error()
        for text in texts:
            raw = text.encode()
            self.c.bpe_trainer_add_text(trainer, raw, C.c_size_t(len(raw)))
        names = (C.c_char_p * max(1, len(special)))(*[name.encode() for name in special])
        status = self.c.bpe_trainer_finish(
            trainer, C.c_int64(count), names, C.c_size_t(len(special)), C.byref(out), C.byref(error))
        self.c.bpe_trainer_free(trainer)
        self.raise_if(status, error)
        return self.taken(out).decode()


class Ours:
    """One of our tokenizers."""

    def __init__(self, library, source, config=None):
        """`source`: the text of a tokenizer.json, or the bytes of a tokenizer.model with its config."""
        self.library, self.c, self.pointer, error = library, library.c, C.c_void_p(), Error()
        if isinstance(source, bytes):
            tree = C.c_void_p(self.c.cJSON_Parse(json.dumps(config).encode()) if config else None)
            library.raise_if(self.c.tokenizer_parse_sentencepiece(
                C.byref(self.pointer), source, C.c_size_t(len(source)), tree, b"check", C.byref(error)), error)
            return
        raw = source.encode()
        library.raise_if(
            self.c.tokenizer_parse(C.byref(self.pointer), raw, C.c_size_t(len(raw)), b"check", C.byref(error)), error)

    def warnings(self):
        return self.c.tokenizer_warnings(self.pointer).decode()

    def encode_silently(self, raw, times=1):
        """Encodes bytes and forgets the ids, for timing."""
        ids = Ids()
        for _ in range(times):
            ids.count = 0
            self.c.tokenizer_encode(self.pointer, raw, C.c_size_t(len(raw)), C.c_uint(ENCODE_SPECIAL), C.byref(ids))
        count = ids.count
        self.c.token_list_release(C.byref(ids))
        return count

    def encode(self, text, flags=ENCODE_SPECIAL):
        ids = Ids()
        raw = text if isinstance(text, bytes) else text.encode()
        self.c.tokenizer_encode(self.pointer, raw, C.c_size_t(len(raw)), C.c_uint(flags), C.byref(ids))
        out = ids.items[: ids.count] if ids.count else []
        self.c.token_list_release(C.byref(ids))
        return out

    def decode(self, ids, keep_special=True):
        out, array = Buffer(), (C.c_int32 * len(ids))(*ids)
        self.c.tokenizer_decode(self.pointer, array, C.c_size_t(len(ids)), C.c_bool(keep_special), C.byref(out))
        return self.library.taken(out).decode()

    def chat(self, source, bos, messages, prompt):
        """(text, ids), or None where the template refuses the messages"""
        template, out, ids, mask, error = C.c_void_p(), Buffer(), Ids(), Bytes(), Error()
        variables = (Variable * 1)(Variable(b"bos_token", bos.encode()))
        self.library.raise_if(
            self.c.chat_template_build(C.byref(template), source.encode(), variables, C.c_size_t(1), self.pointer,
                                       C.byref(error)),
            error)
        array = (Message * len(messages))(*[Message(m["role"].encode(), m["content"].encode()) for m in messages])
        common = (array, C.c_size_t(len(messages)), C.c_bool(prompt))
        failed = self.c.chat_template_render(template, *common, C.byref(out), C.byref(error))
        if not failed:
            self.c.chat_template_encode(template, self.pointer, *common, C.byref(ids), C.byref(mask), C.byref(error))
        self.c.chat_template_free(template)
        if failed:
            return None
        assert mask.count == ids.count
        result = self.library.taken(out).decode(), ids.items[: ids.count]
        self.c.token_list_release(C.byref(ids))
        self.c.mask_list_release(C.byref(mask))
        return result


def random_lines(count):
    """Code points from everywhere that Unicode 14 assigns letters to, and white space."""
    rng = random.Random(4)
    pools = [
        range(0x20, 0x7F), range(0x01, 0x250), range(0x250, 0x800), range(0x900, 0x1CD0), range(0x1D00, 0x2C00),
        range(0x3000, 0xA640), range(0xAC00, 0xD7A4), range(0xF900, 0xFFFE), range(0x1D400, 0x1D800),
        range(0x1F300, 0x1FA00), [ord(c) for c in " \t\n\r\x0b\x85\u00a0\u180e\u2003\u3000'sStTllveREdDm1a.<|im_end|>"],
    ]
    for _ in range(count):
        pool = rng.choice(pools)
        line = "".join(chr(rng.choice(pool)) for _ in range(rng.randint(1, 30)))
        # Younger than the normalisation tables of `tokenizers`, which leave it where it stands.
        yield line.replace("\u07fd", "")


def report(what, bad, count):
    print(f"{what}: {count} compared, {bad} differ", flush=True)
    return bad


def compare(what, ours, theirs, lines, decode=True, plain=True):
    bad = shown = 0
    for line in lines:
        ids = theirs.encode(line, add_special_tokens=False).ids
        theirs.encode_special_tokens = True
        as_text = theirs.encode(line, add_special_tokens=False).ids if plain else []
        theirs.encode_special_tokens = False
        same = ours.encode(line) == ids and (not plain or ours.encode(line, 0) == as_text)
        same = same and ours.encode(line, ENCODE_SPECIAL | ENCODE_ADD_BOS) == theirs.encode(line).ids
        if decode:
            same = same and ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)
            same = same and ours.decode(ids, False) == theirs.decode(ids, skip_special_tokens=True)
        bad += not same
        if not same and shown < 3:
            print("   ", repr(line)[:150])
            shown += 1
    return report(what, bad, len(lines))


def compare_pieces(what, ours, theirs, lines):
    """SentencePiece's own library: ids of texts, texts of ids, and texts of random ids."""
    rng, bad, shown = random.Random(8), 0, 0
    ordinary = [i for i in range(theirs.get_piece_size()) if not theirs.is_control(i)]
    some_bytes = [i for i in ordinary if theirs.is_byte(i)] or ordinary
    for line in lines:
        ids = theirs.encode(line)
        mixed = [rng.choice(rng.choice((ordinary, some_bytes))) for _ in range(rng.randint(0, 12))]
        same = ours.encode(line, 0) == ids
        same = same and ours.decode(ids) == theirs.decode(ids) and ours.decode(mixed) == theirs.decode(mixed)
        bad += not same
        if not same and shown < 3:
            print("   ", repr(line)[:150])
            shown += 1
    return report(what, bad, len(lines))


def qwen2(data, goldens):
    """The real Qwen2 vocabulary, put together from vocab.json and merges.txt."""
    folder = data / "tokenizers" / "qwen2"
    vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    merges = [m for m in (folder / "merges.txt").read_text(encoding="utf-8").split("\n") if m and m[0:8] != "#version"]
    number = len(vocab)
    tokens = [goldens.added(number + i, name, special=True) for i, name in enumerate(goldens.SPECIAL)]
    pre = goldens.sequence(goldens.split(goldens.QWEN2), goldens.byte_level(use_regex=False))
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
            "normalizer": {"type": "NFC"}, "pre_tokenizer": pre, "post_processor": None,
            "decoder": goldens.byte_level(), "model": {"type": "BPE", "vocab": vocab, "merges": merges,
            "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "fuse_unk": False, "byte_fallback": False}}


def check_encoding(library, data, folder, goldens, lines):
    bad = 0
    small = json.loads((folder / "small.json").read_text())
    for name, parts, fields in goldens.variants(small):
        source = json.dumps(goldens.patched(small, parts, fields))
        bad += compare(f"small, {name}", Ours(library, source), goldens.load(source), lines[: len(lines) // 2])
    sources = {name: (data / "tokenizers" / name / "tokenizer.json").read_text() for name in ("gpt2", "smollm-135m")}
    sources["qwen2"] = json.dumps(qwen2(data, goldens))
    for name, source in sources.items():
        bad += compare(name, Ours(library, source), goldens.load(source), lines)
    return bad


def check_families(library, data, goldens, lines):
    """Tokenizers of the SentencePiece type, and Llama-3: ours, of our making and real."""
    import tokenizer_families as families

    bad = 0
    models = dict(families.models(goldens))
    for name, raw in {**models, **dict(families.real_models(data))}.items():
        bad += compare_pieces(f"{name}.model", Ours(library, raw), families.processor(raw), lines)
    larger = dict(families.larger_models(goldens, data_lines(data, 4000)))
    for name, raw in larger.items():
        bad += compare_pieces(f"{name}.model", Ours(library, raw), families.processor(raw), lines)
    source = json.dumps(families.unigram_json(larger["unigram-nmt-nfkc"]))
    bad += compare("Unigram, nmt_nfkc", Ours(library, source), families.load(source), lines)
    # On long runs of spaces a converted BPE differs from SentencePiece: its merges of equal scores have an order.
    few = [line for line in lines[: len(lines) // 4] if " " * 16 not in line]
    for name, raw in families.real_models(data):
        bad += compare(f"{name}.model, special tokens as in transformers", Ours(library, raw),
                       families.load(families.bpe_json(raw)), few, decode=False, plain=False)
    bpe, unigram = families.bpe_json(models["bpe"]), families.unigram_json(models["unigram"])
    for whole, variants in ((bpe, families.bpe_variants(bpe)), (unigram, families.unigram_variants(unigram))):
        for name, parts, fields in variants:
            source = json.dumps(families.patched(whole, parts, fields))
            decode = not families.rewrites_added(parts)
            bad += compare(
                f"{whole['model']['type']}, {name}", Ours(library, source), families.load(source), lines, decode)
    path = data / "tokenizers" / "mistral-7b-v0.3-hf" / "tokenizer.json"
    source = path.read_text(encoding="utf-8")
    bad += compare("mistral-7b-v0.3-hf", Ours(library, source), families.load(source), lines)
    for name, raw in families.real_models(data):
        source = json.dumps(families.bpe_json(raw))
        bad += compare(f"{name} as Llama-2's tokenizer.json", Ours(library, source), families.load(source), lines)
    return bad + check_llama3(library, data, families, lines)


def check_llama3(library, data, families, lines):
    import tiktoken

    ranks, tokens, whole = families.llama3_json(data)
    source = json.dumps(whole)
    ours = Ours(library, source)
    bad = compare("llama3", ours, families.load(source), lines)
    encoding = tiktoken.Encoding("llama3", pat_str=families.LLAMA3, mergeable_ranks=ranks,
                                 special_tokens={t["content"]: t["id"] for t in tokens})
    differ = sum(ours.encode(line) != encoding.encode(line, allowed_special="all") for line in lines)
    return bad + report("llama3, tiktoken", differ, len(lines)) + check_vectors(library, data, source)


def check_vectors(library, data, llama3):
    """The expectations of swift-transformers for the tokenizers that are here."""
    folder = data / "tokenizers" / "swift-transformers"
    gpt2 = (data / "tokenizers" / "gpt2" / "tokenizer.json").read_text(encoding="utf-8")
    tests = json.loads((folder / "tokenizer_tests.json").read_text(encoding="utf-8"))
    bad = 0
    for name, source, encoded in (("distilgpt2", gpt2, "gpt2_encoded_tokens"),
                                  ("pcuenq/Llama-3.2-1B-Instruct-tokenizer", llama3, "llama_3.2_encoded")):
        ours = Ours(library, source)
        long = json.loads((folder / f"{encoded}.json").read_text(encoding="utf-8"))
        pairs = [(test["input"], test["encoded"]["input_ids"]) for test in tests[name]]
        pairs.append((long["text"], long["token_ids"]))
        differ = sum(ours.encode(text, ENCODE_SPECIAL | ENCODE_ADD_BOS) != ids for text, ids in pairs)
        bad += report(f"test vectors, {name}", differ, len(pairs))
    return bad


def refused(library, data):
    """What lies in the data folder and is refused, with the words."""
    folder = data / "tokenizers"
    for name in ("gemma1/tokenizer.json", "swift-transformers/tokenizer.json"):
        try:
            Ours(library, (folder / name).read_text(encoding="utf-8"))
            print(f"{name}: accepted")
        except ValueError as error:
            print(f"{name}: refused: {error}")
    for name in ("llama3/tokenizer.model", "mistral-7b-v0.3-hf/tokenizer.model"):
        try:
            Ours(library, (folder / name).read_bytes())
            print(f"{name}: accepted")
        except ValueError as error:
            print(f"{name}: refused: {error}")


def check_trainer(library, goldens, lines):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    texts = list(goldens.training_lines()) + lines
    source = library.train(texts, 1500, goldens.SPECIAL)
    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=1500 - len(goldens.SPECIAL), show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    theirs.train_from_iterator(texts, trainer)
    merges = [" ".join(pair) for pair in json.loads(theirs.to_str())["model"]["merges"]]
    learned = json.loads(source)["model"]["merges"]
    bad = report("merges learned", sum(a != b for a, b in zip(merges, learned)) + (len(merges) != len(learned)), len(learned))
    loaded = goldens.load(source)
    specials = [loaded.token_to_id(name) for name in goldens.SPECIAL]
    bad += report("special ids", int(specials != list(range(1497, 1500))), 3)
    return bad + compare("our trainer's file", Ours(library, source), loaded, texts[:4000])


def check_chat(library, data, folder, goldens):
    from transformers import PreTrainedTokenizerFast

    source = (folder / "small.json").read_text()
    ours, theirs = Ours(library, source), goldens.load(source)
    fast = PreTrainedTokenizerFast(tokenizer_object=theirs, bos_token=goldens.SPECIAL[0])
    rng = random.Random(5)
    parts = ["Hello", " ", "\n", "world", "é", "🙂", "<|im_end|>", "<|im_start|>", "  ", "1", "\u00a0", "\x1c", "."]
    count = bad = id_count = id_bad = 0
    built_in = library.c.chat_template_chatml_source().decode()
    for name, template, _ in [*goldens.templates(data), ("built in", built_in, None)]:
        for _ in range(300):
            text = lambda: "".join(rng.choice(parts) for _ in range(rng.randint(0, 7)))  # noqa: E731
            messages = [{"role": "system", "content": text()}] if rng.random() < 0.4 else []
            messages += [{"role": ("user", "assistant")[i % 2], "content": text()} for i in range(rng.randint(1, 4))]
            if rng.random() < 0.2:
                rng.shuffle(messages)
            prompt = rng.random() < 0.5
            try:
                expected = fast.apply_chat_template(
                    messages, chat_template=template, tokenize=False, add_generation_prompt=prompt)
            except Exception:
                expected = None
            got = ours.chat(template, goldens.SPECIAL[0], messages, prompt)
            count += 1
            bad += (got and got[0]) != expected
            said = [m["content"] for m in messages if m["role"] == "assistant"]
            if got and not any("<|" in m["content"] for m in messages) and not any(t[:1].isspace() for t in said):
                id_count += 1
                id_bad += got[1] != theirs.encode(expected, add_special_tokens=False).ids
    return report("chat templates, text", bad, count) + report("chat templates, ids", id_bad, id_count)


def data_lines(data, count):
    """Real text of the data folder, never written anywhere."""
    lines = []
    for path in sorted(data.rglob("*.csv")) + sorted(data.rglob("*.jsonl")):
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            lines += file.read(300000).splitlines(True)
    random.Random(6).shuffle(lines)
    return lines[:count]


def mixed(data, goldens):
    lines = list(random_lines(6000)) + data_lines(data, 6000) + list(goldens.mixed_lines(2000))
    random.Random(7).shuffle(lines)
    return lines


def run_families(data, goldens):
    with tempfile.TemporaryDirectory() as name:
        library = Library(name, chat=False)
        refused(library, data)
        return check_families(library, data, goldens, mixed(data, goldens)[:10000])


def check_cuts(library, goldens, lines):
    """Lines of characters that Unicode 14, PCRE2's and Python 3.11's, knows."""
    bad = 0
    known = [line for line in lines if all(unicodedata.category(c) != "Cn" for c in line)]
    for name, base, _, whole in goldens.cut_tokenizers():
        source = json.dumps(whole)
        bad += compare(f"{base}, {name}", Ours(library, source), goldens.load(source), known)
    return bad


def check_classes(library, goldens):
    """Every character by itself that Unicode 14 (PCRE2's, and Python 3.11's) knows: where Punctuation
    and Digits cut it off."""
    whole = json.loads((ROOT / "tests/golden/tokenizer/bpe.json").read_text())
    points = [p for p in range(1, 0x110000) if unicodedata.category(chr(p)) not in ("Cn", "Cs")]
    bad = 0
    for name, step in (("Punctuation", goldens.punctuation("Removed")),
                       ("Digits", goldens.sequence(goldens.digits(True), goldens.split("^[^xyz]$", "Removed")))):
        source = json.dumps({**whole, "normalizer": None, "pre_tokenizer": step})
        ours, theirs = Ours(library, source), goldens.load(source)
        text = [f"x{chr(p)}y" for p in points]
        found = theirs.encode_batch_fast(text, add_special_tokens=False)
        bad += report(f"characters of {name}", sum(ours.encode(t) != f.ids for t, f in zip(text, found)), len(points))
    return bad


def check_pipelines(library, goldens, lines):
    """Whole files as the families have them; lines of characters that Unicode 14 knows."""
    import tokenizer_pipelines as pipelines

    bad = 0
    known = [line for line in lines if all(unicodedata.category(c) != "Cn" for c in line)]
    for name, whole in pipelines.pipelines(goldens, known):
        source = json.dumps(whole)
        strewn = list(pipelines.strewn(whole, known, random.Random(9)))
        bad += compare(f"as {name}", Ours(library, source), goldens.load(source), strewn)
    return bad


def run_cuts(data, goldens):
    with tempfile.TemporaryDirectory() as name:
        library = Library(name, chat=False)
        lines = mixed(data, goldens)
        bad = check_classes(library, goldens) + check_cuts(library, goldens, lines[:12000])
        return bad + check_pipelines(library, goldens, lines)


def run(data, folder, goldens):
    with tempfile.TemporaryDirectory() as name:
        library = Library(name)
        lines = mixed(data, goldens)
        bad = check_encoding(library, data, folder, goldens, lines)
        bad += check_trainer(library, goldens, lines[:2000])
        bad += check_chat(library, data, folder, goldens)
        refused(library, data)
        bad += check_families(library, data, goldens, lines[:10000])
        bad += check_classes(library, goldens) + check_cuts(library, goldens, lines[:10000])
        bad += check_pipelines(library, goldens, lines)
    return bad
