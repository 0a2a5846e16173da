#ifndef HOLDFAST_TEXT_CHAT_TEMPLATE_INTERNAL_H
#define HOLDFAST_TEXT_CHAT_TEMPLATE_INTERNAL_H

#include "text/chat_template.h"

/* As chat_template_parse(), with the text of the bos token (NULL: there is none). */
enum status chat_template_build(struct chat_template **chat_template, const char *source,
                                const char *bos, const struct tokenizer *tokenizer,
                                struct error *error);

#endif
