"""What the benchmarks share: a scratch model of given shapes, timed child processes.

The peers need Python with PyTorch and transformers: PEER_PYTHON names an interpreter that has them
(default: python3). holdfast itself needs no Python.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

HOLDFAST = os.environ.get("HOLDFAST", "build/release/holdfast")
PEER_PYTHON = os.environ.get("PEER_PYTHON", "python3")

# GPT-2 124M's sizes in Llama's form: 3 x 768 x 2048 weights in the gated feed-forward layer are as many
# as 2 x 768 x 3072 in GPT-2's.
GPT2_SHAPES = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 50257,
    "hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12,
    "num_attention_heads": 12, "num_key_value_heads": 12, "max_position_embeddings": 1024,
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
    "tie_word_embeddings": True, "initializer_range": 0.02, "torch_dtype": "float32",
}


def settings_from_environment():
    """For a benchmark that takes no arguments: --help prints its text, anything else is an error."""
    if len(sys.argv) > 1:
        print(sys.modules["__main__"].__doc__)
        sys.exit(0 if sys.argv[1] in ("-h", "--help") else 2)


def scratch():
    return tempfile.TemporaryDirectory(prefix="holdfast-bench-")


def write_json(path, value):
    with open(path, "w") as out:
        json.dump(value, out)


def byte_tokenizer(folder):
    """A tokenizer in which (almost) every byte is a token: lengths are then easy to set."""
    config = dict(GPT2_SHAPES, vocab_size=260, hidden_size=16, intermediate_size=16,
                  num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2)
    write_json(f"{folder}/tiny.json", config)
    with open(f"{folder}/tiny.jsonl", "w") as out:
        for _ in range(4):
            out.write(json.dumps({"messages": [{"role": "user", "content": "ab ab"},
                                               {"role": "assistant", "content": "ab"}]}) + "\n")
    run([HOLDFAST, "train", "--init", f"{folder}/tiny.json", "--data", f"{folder}/tiny.jsonl",
         "--out", f"{folder}/tiny", "--step-limit", "1", "--quiet"])
    return f"{folder}/tiny/final"


def run(command, **options):
    """Runs a child to its end; returns (seconds of children, peak resident bytes)."""
    subprocess.run(command, check=True, **options)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def run_measured(command, **options):
    """As run(), in a process of its own, so that the peak is that of this child alone.

    Exit code 3 (nothing could be scored) is fine: random weights say nothing that is text.
    """
    probe = ("import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
             "print('PEAK', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024); "
             "sys.exit(0 if code == 3 else code)")
    out = subprocess.run(["python3", "-c", probe, *command], check=True, text=True,
                         stdout=subprocess.PIPE, **options).stdout
    lines = out.strip().split("\n")
    return "\n".join(lines[:-1]), int(lines[-1].split()[1])


def median(values):
    return statistics.median(values)
