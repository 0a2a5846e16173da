#include "data_gen/refusals.h"

#include "base/memory.h"
#include "base/random.h"
#include "data_gen/source_file.h"

#include <stdlib.h>
#include <string.h>

static const char fixed[] = "Sorry, I can't help with that.";

static void refusals_add_list(struct refusals *refusals, const char *const *texts)
{
    for (; *texts; texts++)
        string_list_add(&refusals->texts, *texts);
}

enum status refusals_open(struct refusals *refusals, const char *style, struct error *error)
{
    *refusals = (struct refusals){.alternative = strcmp(style, "alternative") == 0};
    if (strcmp(style, "fixed") == 0)
        string_list_add(&refusals->texts, fixed);
    else if (strcmp(style, "varied") == 0)
        refusals_add_list(refusals, refusals_varied);
    else if (strcmp(style, "alternative") == 0)
        refusals_add_list(refusals, refusals_openings);
    else if (*style == '@')
        return source_lines_read(&refusals->texts, style + 1, "refusal", error);
    else if (strchr(style, ' '))
        string_list_add(&refusals->texts, style);
    else
        return error_set(error, STATUS_USAGE,
                         "--refusals %s: it is fixed, varied, alternative, @FILE or a "
                         "sentence",
                         style);
    return STATUS_OK;
}

void refusals_release(struct refusals *refusals)
{
    string_list_release(&refusals->texts);
    *refusals = (struct refusals){0};
}

static const char *list_pick(const char *const *texts, struct random *random)
{
    size_t count = 0;
    while (texts[count])
        count++;
    return texts[random_below(random, count)];
}

/* The offer's "%s" is ours: the subject goes where it stands. */
static void offer_append(struct text_buffer *out, const char *offer, const char *subject)
{
    const char *gap = strstr(offer, "%s");
    text_buffer_append_bytes(out, offer, (size_t)(gap - offer));
    text_buffer_append(out, subject);
    text_buffer_append(out, gap + 2);
}

void refusals_write(const struct refusals *refusals, uint64_t seed, uint64_t number,
                    const char *category, struct text_buffer *out)
{
    struct random random = random_stream(seed, random_stream_of("refusal", number, 0));
    text_buffer_append(out,
                       refusals->texts.items[random_below(&random, refusals->texts.count)]);
    if (!refusals->alternative)
        return;
    const char *const *subjects = refusal_subjects(category);
    text_buffer_append_char(out, ' ');
    if (!subjects) {
        text_buffer_append(out, list_pick(refusals_plain_offers, &random));
        return;
    }
    const char *offer = list_pick(refusals_offers, &random);
    offer_append(out, offer, list_pick(subjects, &random));
}
