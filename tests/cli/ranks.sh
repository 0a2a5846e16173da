# Sourced by tests/cli/test-train-ranks and test-train-shard behind common.sh: ranks as torchrun
# starts them, and what is expected of them.
cd "$SCRATCH"
export OMP_NUM_THREADS=1
tiny_config >config.json
tiny_chats 37 >chats.jsonl
tiny_chats 11 | sed 's/"messages"/"split":"validation","messages"/' >>chats.jsonl

# 37 examples, 4 an update: 10 updates an epoch, the last of a single example. In fp32, as the
# bound of close_to() is one of fp32: rounding to bf16 may turn the last bit of a sum into more.
settings=(--init config.json --data chats.jsonl --epochs 3 --lr 0.01 --batch-size 2
    --accumulation 2 --save-every 4 --keep 2 --validate-every 5 --save-dtype f32 --precision fp32
    --quiet)
port=$((10000 + $$ * 64 % 20000)) # scripts that run beside have others

# rank NUMBER OF command …: takes the place of the (sub)shell, as torchrun starts one.
rank() {
    export RANK=$1 WORLD_SIZE=$2 LOCAL_RANK=$1 MASTER_ADDR=127.0.0.1 MASTER_PORT=$port
    exec "${@:3}"
}

# ranks SIZE OUT options …: all of them; fails if any does.
ranks() {
    local size=$1 out=$2 pids=() number good=0
    shift 2
    port=$((port + 1)) # the last one's may still be closing
    for number in $(seq 0 $((size - 1))); do
        rank "$number" "$size" "$HOLDFAST" train "${settings[@]}" --out "$out" "$@" &
        pids+=($!)
    done
    for number in "${pids[@]}"; do
        wait "$number" || good=1
    done
    return $good
}

column() { grep -o "\"$2\":[^,}]*" "$1/metrics.jsonl" | cut -d: -f2; }
# close_to A B COUNT: losses within 1e-5, relative; token counts the same.
close_to() {
    local name
    for name in loss nll validation_nll grad_norm; do
        paste <(column "$1" $name) <(column "$2" $name) | awk -v name="$1 $2 $name" -v want="$3" '
            { d = ($1 - $2) / $1; if (d < 0) d = -d; if (d > worst) worst = d; n++ }
            END { if (n < want / 5 || worst > 1e-5) { print name ": " n " lines, worst " worst; exit 1 } }' ||
            fail "$name of $1 and $2 differ"
    done
    for name in step tokens target_tokens validation_tokens lr; do
        [ "$(column "$1" $name)" = "$(column "$2" $name)" ] || fail "$name of $1 and $2 differ"
    done
    [ "$(column "$2" loss | wc -l)" = "$3" ] || fail "not $3 lines in $2"
}
cut_times() { sed 's/"tokens_per_second":[^,]*,"seconds":[^,}]*//' "$1/metrics.jsonl"; }

# wait_lines FILE N: until it has so many, at most 30 s.
wait_lines() {
    local tries
    for tries in $(seq 3000); do
        [ -f "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ] && return 0
        sleep 0.01
    done
    fail "$1 did not reach $2 lines"
}

# start_two OUT options …: in the background, each rank's words in rank.N.
start_two() {
    local out=$1 number
    shift
    pids=()
    port=$((port + 1))
    for number in 0 1; do
        rank $number 2 "$HOLDFAST" train "${settings[@]}" --out "$out" "$@" 2>rank.$number &
        pids+=($!)
    done
}

# expect_end VICTIM OPTIONS …: kill -9 one of two ranks; the other ends by itself, with a message
# and exit code 1.
expect_end() {
    local victim=$1 other=$((1 - $1)) code=0 begin
    shift
    rm -rf killed
    start_two killed --epochs 400 --step-limit 4000 "$@"
    wait_lines killed/metrics.jsonl 5
    begin=$(date +%s)
    kill -9 "${pids[$victim]}"
    wait "${pids[$other]}" || code=$?
    wait "${pids[$victim]}" 2>/dev/null || true
    [ $code = 1 ] || fail "rank $other exits with $code: $(cat rank.$other)"
    [ $(($(date +%s) - begin)) -le 10 ] || fail "rank $other took too long"
    grep -q "rank $victim on .* has ended without a word" rank.$other ||
        fail "no word of rank $victim: $(cat rank.$other)"
}
