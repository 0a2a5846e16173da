#include "eval/attack.h"

#include "base/random.h"

#include <string.h>

static const char fresh_prefix[] = "fresh:";
static const char *const fresh_names[TENSE_COUNT] = {
    [TENSE_NONE] = "fresh:none",
    [TENSE_PRESENT] = "fresh:present",
    [TENSE_PAST] = "fresh:past",
    [TENSE_FUTURE] = "fresh:future",
    [TENSE_PAST_PERFECT] = "fresh:past-perfect",
    [TENSE_PASSIVE_PAST] = "fresh:passive-past",
    [TENSE_HYPOTHETICAL] = "fresh:hypothetical",
    [TENSE_THIRD_PERSON] = "fresh:third-person",
};

enum status attack_parse(struct attack *attack, const char *name, struct error *error)
{
    for (int i = 0; i < TENSE_COUNT; i++) {
        const bool fresh = strcmp(fresh_names[i], name) == 0;
        if (!fresh && strcmp(fresh_names[i] + strlen(fresh_prefix), name) != 0)
            continue;
        *attack =
            (struct attack){.name = fresh ? fresh_names[i] : tense_name((enum tense)i),
                            .tense = (enum tense)i,
                            .fresh = fresh};
        return STATUS_OK;
    }
    return error_set(error, STATUS_USAGE,
                     "--attack %s: it is none, present, past, future, past-perfect, "
                     "passive-past, hypothetical or third-person (several with commas)",
                     name);
}

uint64_t attack_seed(uint64_t seed)
{
    return random_stream_of("eval attack", seed, 0);
}

void attack_request(const struct attack *attack, const char *request, uint64_t seed,
                    int64_t attempt, struct text_buffer *out)
{
    const uint64_t drawn = attack_seed(attack->fresh ? attack_seed(seed) : seed);
    tense_reformulate(request, attack->tense, drawn, attempt - 1, out);
}
