/* The documents that a training step of gpu_bench has, and their packs. */
#include "scripts/bench/gpu/gpu_bench.h"

#include "base/memory.h"

#include <stdlib.h>

/* Source: Appleby, MurmurHash3, its last mixing step. */
static uint32_t scatter(uint32_t bits)
{
    bits = (bits ^ bits >> 16) * 0x85ebca6b;
    bits = (bits ^ bits >> 13) * 0xc2b2ae35;
    return bits ^ bits >> 16;
}

/*
 * Tokens of chat `index`: log-logistic, with the median 150 and the exponent 3, and
 * `longest` at most. The 10th, 90th and 98th percentiles are 0.48, 2.1 and 3.7 medians; of
 * the 1,000 rows of Dolly in ../shared/data they are 0.50, 2.2 and 3.5. In whole numbers,
 * so that chat_length() of peer.py has the same: u = (2 h + 1) / 2^17, h 16 bits scattered
 * from the index, and the greatest T with
 *
 *     T^3 (1 - u) <= 150^3 u
 */
static int64_t chat_length(int64_t index, int64_t longest)
{
    enum { MEDIAN = 150 };
    const int64_t u = 2 * (int64_t)(scatter((uint32_t)index + 1) >> 16) + 1;
    const int64_t bound = (int64_t)MEDIAN * MEDIAN * MEDIAN * u;
    int64_t length = CHAT_LEAST;
    while (length < longest &&
           (length + 1) * (length + 1) * (length + 1) * ((1 << 17) - u) <= bound)
        length++;
    return length;
}

static int64_t document_length(const struct settings *settings, int64_t index)
{
    return settings->chats > 0 ? chat_length(index, settings->length) : settings->length;
}

static int64_t document_count(const struct settings *settings)
{
    return settings->chats > 0
               ? settings->chats
               : settings->accumulation * (settings->tokens_per_pack / settings->length);
}

/* A token is the target of the one before it; but not in the first third of a chat, which
 * stands for its prompt. */
static void document_put(struct packed_batch *pack, int64_t length, bool chat)
{
    const int64_t first_target = chat ? length / 3 : 1;
    for (int64_t i = 0; i < length; i++) {
        const int64_t t = pack->token_count + i;
        const bool has_target = i + 1 < length && i + 1 >= first_target;
        pack->positions[t] = (int32_t)i;
        pack->targets[t] = has_target ? pack->tokens[t + 1] : -1;
        pack->target_count += has_target;
    }
    pack->token_count += length;
    pack->document_starts[++pack->document_count] = (int32_t)pack->token_count;
}

/* Random tokens, in documents from *next on: as many as fit, as dataset_pack() takes them.
 */
static struct packed_batch pack_new(const struct bench *bench, uint64_t number,
                                    int64_t *next)
{
    const struct settings *settings = bench->settings;
    const int64_t limit = settings->tokens_per_pack, end = document_count(settings);
    struct packed_batch pack = {
        .tokens = random_tokens(bench, limit, 1 + number),
        .positions = memory_allocate_array((size_t)limit, sizeof(int32_t)),
        .targets = memory_allocate_array((size_t)limit, sizeof(int32_t)),
        .document_starts = memory_allocate_array((size_t)limit + 1, sizeof(int32_t)),
    };
    pack.document_starts[0] = 0;
    for (; *next < end; ++*next) {
        const int64_t length = document_length(settings, *next);
        if (pack.token_count + length > limit)
            break;
        document_put(&pack, length, settings->chats > 0);
    }
    return pack;
}

static void pack_count(struct step_packs *packs, const struct packed_batch *pack)
{
    packs->token_count += pack->token_count;
    packs->target_count += pack->target_count;
    packs->document_count += pack->document_count;
    for (int64_t n = 0; n < pack->document_count; n++) {
        const double length = pack->document_starts[n + 1] - pack->document_starts[n];
        packs->pair_count += length * (length + 1) / 2;
    }
}

void step_packs_init(struct step_packs *packs, const struct bench *bench)
{
    const int64_t documents = document_count(bench->settings);
    *packs = (struct step_packs){
        .packs = memory_allocate_array((size_t)documents, sizeof *packs->packs)};
    for (int64_t next = 0; next < documents; packs->count++) {
        packs->packs[packs->count] = pack_new(bench, (uint64_t)packs->count, &next);
        pack_count(packs, &packs->packs[packs->count]);
    }
}

void step_packs_release(struct step_packs *packs)
{
    for (int64_t i = 0; i < packs->count; i++) {
        struct packed_batch *pack = &packs->packs[i];
        free(pack->tokens);
        free(pack->positions);
        free(pack->targets);
        free(pack->document_starts);
    }
    free(packs->packs);
    *packs = (struct step_packs){0};
}
