#ifndef HOLDFAST_DATA_GEN_MIX_BUILDER_H
#define HOLDFAST_DATA_GEN_MIX_BUILDER_H

#include "base/error.h"
#include "data_gen/chat_stream.h"
#include "data_gen/mix_build.h"
#include "data_gen/near_duplicates.h"
#include "data_gen/refusal_stream.h"
#include "data_gen/refusals.h"
#include "data_gen/source.h"
#include "data_gen/system_prompts.h"
#include "data_gen/text_set.h"

/* What mix_build.c, mix_sources.c and mix_rows.c share; nobody else includes it. */

/* What the rows are made from. */
struct builder {
    const struct mix_recipe *recipe;
    struct mix_build *build;
    struct refusals refusals;
    struct system_prompts system;
    struct request_list *harmful;                /* of each source */
    struct conversation_list *chats[ROLE_COUNT]; /* of each source; none of harmful */
    struct harmful_pool pool;
    struct text_set seen;
    struct text_set ids;                   /* of chats */
    struct near_duplicates *near_requests; /* NULL: not asked for */
    struct near_duplicates *near_chats;
    struct chat_stream benign;
    struct chat_stream *contrast;         /* [recipe->contrast_ratio_count] */
    struct refusal_stream refusal_stream; /* of the split at hand */
};

/* mix_sources.c: reads the sources and lists them in build->sources. */
enum status builder_read_harmful(struct builder *builder, struct error *error);
enum status builder_read_chats(struct builder *builder, enum mix_role role,
                               struct error *error);
/* mix_deal.c: deals the behaviours to the splits, and lists those of "test" in
 * build->held_out. */
void builder_deal_behaviors(struct builder *builder);

/* mix_rows.c: makes a row in build->rows, and counts its tokens. */
struct mix_row *builder_make_refusal(struct builder *builder,
                                     const struct refusal_draw *draw, const char *text);
/* `number` is the chat's place in its stream's sources. */
struct mix_row *builder_make_chat(struct builder *builder,
                                  const struct conversation *conversation, size_t source,
                                  int64_t number, enum mix_role role, int split);

/* The numbers 0..count-1 in an order drawn by seed and name. */
void numbers_shuffled(int64_t *order, size_t count, uint64_t seed, const char *what);

#endif
