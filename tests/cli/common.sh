# Sourced by tests/cli/test-*: a scratch folder, a tiny model's config, and assertions.
# Needs HOLDFAST, the binary under test.
set -eu
: "${HOLDFAST:?path of the holdfast binary}"
REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SCRATCH=$(mktemp -d)
export TMPDIR=$SCRATCH # what a run leaves behind is its own
trap 'rm -rf "$SCRATCH"' EXIT
export OMP_NUM_THREADS=2

fail() {
    echo "FAILED: $*"
    exit 1
}

# expect_error CODE "part of the message" command …
expect_error() {
    local code=$1 words=$2
    shift 2
    local got=0
    "$@" >"$SCRATCH/stdout" 2>"$SCRATCH/stderr" || got=$?
    [ "$got" = "$code" ] || fail "exit $got, not $code: $* : $(cat "$SCRATCH/stderr")"
    grep -qF -- "$words" "$SCRATCH/stderr" ||
        fail "no '$words' in: $(cat "$SCRATCH/stderr")"
    [ ! -s "$SCRATCH/stdout" ] || fail "an error wrote to stdout: $*"
}

# equal A B: same bytes.
equal() {
    cmp "$1" "$2" || fail "$1 and $2 differ"
}

tiny_config() {
    cat <<'JSON'
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 280,
 "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
 "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
 "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
 "tie_word_embeddings": true, "initializer_range": 0.05}
JSON
}

# tiny_chats N: N one-turn chats, each its own.
tiny_chats() {
    local i
    for i in $(seq 1 "$1"); do
        printf '{"messages":[{"role":"user","content":"What is %d plus %d?"},' "$i" "$((i * 7))"
        printf '{"role":"assistant","content":"It is %d, as anyone can count."}]}\n' "$((i * 8))"
    done
}
