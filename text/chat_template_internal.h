#ifndef HOLDFAST_TEXT_CHAT_TEMPLATE_INTERNAL_H
#define HOLDFAST_TEXT_CHAT_TEMPLATE_INTERNAL_H

#include "text/added_tokens.h"
#include "text/chat_template.h"
#include "text/jinja.h"

struct chat_template {
    struct jinja_template *parsed;
    const char *file;                 /* static, see chat_template_file() */
    struct jinja_variable *variables; /* owned, their strings too */
    size_t variable_count;
    struct added_tokens controls;  /* see chat_template.h; none strips or wants words */
    struct added_token *originals; /* the same, as the tokenizer has them; [count] */
    bool unmarked;                 /* some control tokens are not called special */
    int32_t end_id;                /* end of the assistant's turn, -1: none */
    int32_t inner_end_id;          /* the same where a question follows */
};

/* As chat_template_parse(), with the special tokens that the template may name. */
enum status chat_template_build(struct chat_template **chat_template, const char *source,
                                const struct jinja_variable *variables,
                                size_t variable_count, const struct tokenizer *tokenizer,
                                struct error *error);

/* A control token that the template itself wrote: bytes [start, end) of the rendering. */
struct control_span {
    size_t start;
    size_t end;
    int32_t id;
    const struct added_token *original;
};

/* What the assistant says in one message, its end-of-turn token included. */
struct reply_span {
    size_t start;
    size_t end;
    size_t message;
    bool ends; /* with the end-of-turn token */
};

/* A conversation, rendered, and what is known of its parts; spans are in order. */
struct rendering {
    struct jinja_output output;
    bool prompts; /* made with add_generation_prompt */
    struct control_span *controls;
    size_t control_count;
    size_t control_capacity;
    struct reply_span *replies;
    size_t reply_count;
    size_t reply_capacity;
};
void rendering_release(struct rendering *rendering);

/* The text, its origins and its control tokens; messages are checked first. */
enum status rendering_make(struct rendering *rendering,
                           const struct chat_template *chat_template,
                           const struct message *messages, size_t count,
                           bool add_generation_prompt, struct error *error);
/* Finds the replies of a rendering that was made with these very arguments. */
enum status rendering_find_replies(struct rendering *rendering,
                                   const struct chat_template *chat_template,
                                   const struct message *messages, size_t count,
                                   struct error *error);
/* The tokens of a rendering. `mask` may be NULL. */
void rendering_encode(const struct rendering *rendering,
                      const struct chat_template *chat_template,
                      const struct tokenizer *tokenizer, struct token_list *ids,
                      struct mask_list *mask);

/* Fills `controls` with the added tokens of a tokenizer: all without white space, or
 * those called special. */
void chat_template_collect(struct chat_template *chat_template,
                           const struct tokenizer *tokenizer, bool only_special);

#endif
