#ifndef HOLDFAST_TEXT_CHAT_TEMPLATE_H
#define HOLDFAST_TEXT_CHAT_TEMPLATE_H

#include "base/error.h"
#include "text/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Chat messages -> tokens. The template is that of the model's directory
 * (chat_template.jinja, or chat_template in tokenizer_config.json or chat_template.json):
 * Jinja, rendered by text/jinja.h as transformers' apply_chat_template renders it.
 * bos_token, eos_token and the like are those of tokenizer_config.json and
 * special_tokens_map.json.
 *
 * Rules:
 *  - What a message says stays text: "<|im_end|>" inside a message never becomes the
 *    control token, wherever and however the template writes it. Control tokens are those
 *    that the tokenizer calls special; and, where the template itself writes added tokens
 *    that are not called special (from the first question on: a default system text may
 *    speak of "<think>"), all added tokens without white space. They are looked for only
 *    in bytes that the template wrote, whole.
 *  - Nothing is added to what the template writes: a beginning-of-sequence token is there
 *    once if the template writes it, and not otherwise (tokenize=True of transformers).
 *  - The assistant's turn starts where the prompt of its generation ends: that is the
 *    rendering of the messages before it with add_generation_prompt. It ends with the
 *    first control token behind its words, if that is the one that ends the assistant's
 *    turn in a conversation of one question and one answer, or before a next question
 *    (OLMo-3 ends the last turn with another token). What the model has to write between
 *    the two carries loss, an empty "<think>" that the template adds among it.
 *
 *     <|im_start|> "user\nHi" <|im_end|> "\n" <|im_start|> "assistant\n" "Hello" <|im_end|>
 *     mask: 0       0           0         0     0            0             1       1
 *
 * Each quoted stretch is encoded by itself. What the assistant says is its own stretch, so
 * that the prompt of a generation is a prefix of the trained tokens wherever its text is
 * one; this differs from encoding the rendered text only where a reply begins with white
 * space.
 */
struct message {
    const char *role; /* "system", "user", "assistant" */
    const char *content;
};

struct chat_template; /* opaque */

enum status chat_template_open_directory(struct chat_template **chat_template,
                                         const char *directory,
                                         const struct tokenizer *tokenizer,
                                         struct error *error);
/* The name of the directory's file in which it was found; NULL of one from a text. */
const char *chat_template_file(const struct chat_template *chat_template);
/* From a template's own text, NULL for ChatML. bos_token and the like are undefined. */
enum status chat_template_parse(struct chat_template **chat_template, const char *source,
                                const struct tokenizer *tokenizer, struct error *error);
void chat_template_free(struct chat_template *chat_template);

/* As transformers' apply_chat_template(tokenize=False): the text, for people and checks. */
enum status chat_template_render(const struct chat_template *chat_template,
                                 const struct message *messages, size_t count,
                                 bool add_generation_prompt, struct text_buffer *text,
                                 struct error *error);

/*
 * The tokens of a conversation, and which of them carry loss: mask[i] is 1 where token i
 * is something the assistant says, its end-of-turn token included. `mask` may be NULL.
 * With add_generation_prompt the tokens end where the assistant would begin to speak.
 * `mask` is a byte for each id, appended in step with `ids`. With a mask, a reply that no
 * end-of-turn token follows is an error (it would teach a model never to stop), unless the
 * assistant has the next message too. A message that the template refuses
 * (raise_exception) is STATUS_USAGE.
 */
struct mask_list {
    unsigned char *values;
    size_t count;
    size_t capacity;
};
void mask_list_release(struct mask_list *list);
enum status chat_template_encode(const struct chat_template *chat_template,
                                 const struct tokenizer *tokenizer,
                                 const struct message *messages, size_t count,
                                 bool add_generation_prompt, struct token_list *ids,
                                 struct mask_list *mask, struct error *error);

/*
 * The Jinja text of ChatML without a default system turn, for the chat_template of a
 * tokenizer_config.json that we write; transformers renders it as we do. Static.
 */
const char *chat_template_chatml_source(void);

/* The tokens that end the assistant's turn (generation stops there): where its reply is the
 * last message, and where a question follows, mostly the same; -1: there is none. */
int32_t chat_template_end_of_turn(const struct chat_template *chat_template);
int32_t chat_template_end_of_inner_turn(const struct chat_template *chat_template);

#endif
