#include "eval/attack.h"

#include "base/random.h"

#include <string.h>

enum status attack_parse(struct attack *attack, const char *name, struct error *error)
{
    for (int i = 0; i < TENSE_COUNT; i++)
        if (strcmp(tense_name((enum tense)i), name) == 0) {
            *attack =
                (struct attack){.name = tense_name((enum tense)i), .tense = (enum tense)i};
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
    tense_reformulate(request, attack->tense, attack_seed(seed), attempt - 1, out);
}
