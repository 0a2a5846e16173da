#include "data_gen/twin_clusters.h"

#include "base/memory.h"
#include "data_gen/leak_tense.h"

#include <stdlib.h>

/* A forest: of every tree the smallest number is the root, its own parent. */
struct joining {
    size_t *parent;
    size_t text;
};

static size_t root_of(size_t *parent, size_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static void on_twin(void *context, int32_t request, double score)
{
    struct joining *joining = context;
    const size_t a = root_of(joining->parent, joining->text);
    const size_t b = root_of(joining->parent, (size_t)request);
    (void)score;
    if (a < b)
        joining->parent[b] = a;
    else
        joining->parent[a] = b;
}

void twin_clusters_find(const char *const *texts, size_t count, double threshold,
                        size_t *cluster)
{
    struct leak_lexicon lexicon;
    struct leak_text text = {0};
    struct leak_tense tense = {0};
    struct joining joining = {.parent = cluster};
    leak_lexicon_init(&lexicon);
    tense.common_count = lexicon.common_count;
    for (size_t i = 0; i < count; i++) {
        leak_text_read(&text, &lexicon, texts[i]);
        leak_tense_add(&tense, &text);
    }
    leak_tense_finish(&tense);
    for (size_t i = 0; i < count; i++) {
        joining.text = i;
        leak_text_read(&text, &lexicon, texts[i]);
        leak_tense_search(&tense, &text, threshold, on_twin, &joining);
    }
    for (size_t i = 0; i < count; i++)
        cluster[i] = root_of(cluster, i);
    leak_tense_release(&tense);
    leak_text_release(&text);
    leak_lexicon_release(&lexicon);
}
