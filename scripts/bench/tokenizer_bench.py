"""bench-tokenizer: how fast we encode, beside Hugging Face `tokenizers`, on one thread.

The text is that of the data folder (chats, behaviours, tables), in pieces of a line and of 4 KB. Ours is
called through ctypes, once per piece; theirs through encode_batch_fast, which works out no offsets.
The best of five rounds counts for both.
"""
import importlib.machinery
import importlib.util
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts" / "reference"))
ROUNDS, MEGABYTES = 5, 2.0

import tokenizer_check as check  # noqa: E402
import tokenizer_families as families  # noqa: E402


def goldens():
    loader = importlib.machinery.SourceFileLoader("goldens", str(ROOT / "scripts" / "reference" / "make-tokenizer-goldens"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("goldens", loader))
    loader.exec_module(module)
    return module


def texts(data):
    """{name: pieces}, two megabytes each."""
    lines = [line for line in check.data_lines(data, 1 << 30) if line.strip()]
    random.Random(9).shuffle(lines)
    short, size = [], 0
    for line in lines:
        short.append(line)
        size += len(line.encode())
        if size > MEGABYTES * 1e6:
            break
    whole = "".join(short)
    return {"lines": short, "4 KB": [whole[i : i + 4096] for i in range(0, len(whole), 4096)]}


def sources(data):
    folder = data / "tokenizers"
    read = lambda name: (folder / name / "tokenizer.json").read_text(encoding="utf-8")  # noqa: E731
    module = goldens()
    yield "GPT-2", read("gpt2")
    yield "SmolLM", read("smollm-135m")
    yield "Qwen2", json.dumps(check.qwen2(data, module))
    yield "Llama-3", json.dumps(families.llama3_json(data)[2])
    yield "Mistral v0.3", read("mistral-7b-v0.3-hf")
    yield "Mistral v1 as Llama-2", json.dumps(families.bpe_json(dict(families.real_models(data))["mistral-v1"]))
    small = dict(families.models(module))
    yield "Unigram (small)", json.dumps(families.unigram_json(small["unigram"]))


def best(action, pieces):
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for piece in pieces:
            action(piece)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main():
    data = Path(sys.argv[1])
    if not (data / "tokenizers").is_dir():
        print(f"bench-tokenizer: {data}/tokenizers is not there: nothing to measure")
        return
    with tempfile.TemporaryDirectory() as name:
        library = check.Library(name, chat=False)
        pieces = texts(data)
        print(f"{'':24}{'':>8}{'ours MB/s':>11}{'tokenizers':>12}{'ratio':>7}")
        for label, source in sources(data):
            ours, theirs = check.Ours(library, source), families.load(source)
            theirs.no_truncation()
            theirs.no_padding()
            for kind, texts_of_kind in pieces.items():
                raw = [text.encode() for text in texts_of_kind]
                size = sum(map(len, raw)) / 1e6
                mine = best(ours.encode_silently, raw)
                other = best(lambda text: theirs.encode_batch_fast([text], add_special_tokens=False), texts_of_kind)
                print(f"{label:24}{kind:>8}{size / mine:11.1f}{size / other:12.1f}{other / mine:7.1f}", flush=True)


if __name__ == "__main__":
    main()
