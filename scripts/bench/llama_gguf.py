"""Writes a Llama checkpoint of one safetensors file as GGUF in bf16, without a vocabulary, for llama.cpp's benchmarks.

Arguments: folder of the checkpoint, file to write. Needs torch, safetensors and gguf (PyPI, or gguf-py
of llama.cpp's sources in PYTHONPATH). Llama's rotary halves are not rearranged: the speed is the same,
the replies are not.
"""

import json
import sys

import gguf
import numpy
import torch
from safetensors.torch import load_file

LAYER = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}


def put(out, name, tensor):
    if tensor.ndim == 1:
        out.add_tensor(name, tensor.float().numpy())
        return
    data = tensor.to(torch.bfloat16).view(torch.int16).numpy().view(numpy.uint8)
    out.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType.BF16)


def main(folder, path):
    config = json.load(open(f"{folder}/config.json"))
    weights = load_file(f"{folder}/model.safetensors")
    out = gguf.GGUFWriter(path, "llama")
    out.add_context_length(config["max_position_embeddings"])
    out.add_embedding_length(config["hidden_size"])
    out.add_block_count(config["num_hidden_layers"])
    out.add_feed_forward_length(config["intermediate_size"])
    out.add_head_count(config["num_attention_heads"])
    out.add_head_count_kv(config["num_key_value_heads"])
    out.add_layer_norm_rms_eps(config["rms_norm_eps"])
    out.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    out.add_rope_freq_base(10000.0)
    out.add_vocab_size(config["vocab_size"])
    out.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    out.add_tokenizer_model("none")
    put(out, "token_embd.weight", weights["model.embed_tokens.weight"])
    put(out, "output_norm.weight", weights["model.norm.weight"])
    for layer in range(config["num_hidden_layers"]):
        for theirs, name in LAYER.items():
            put(out, f"blk.{layer}.{name}.weight", weights[f"model.layers.{layer}.{theirs}.weight"])
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


main(*sys.argv[1:3])
