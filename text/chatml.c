#include "text/chatml.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text_buffer.h"
#include "text/chat_template.h"
#include "text/jinja_canonical.h"

#include <stdlib.h>
#include <string.h>

#define TURNS                                                                              \
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + "                  \
    "'<|im_end|>\\n' }}{% endfor %}"
#define PROMPT "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
#define PROMPT_DEFAULT                                                                     \
    "{% if not add_generation_prompt is defined %}"                                        \
    "{% set add_generation_prompt = false %}{% endif %}"
/* HOLE stands for any text in the template that is to be recognised. */
#define HOLE "@@"
#define SYSTEM                                                                             \
    "{% if loop.first and messages[0]['role'] != 'system' %}"                              \
    "{{ '<|im_start|>system\\n" HOLE "<|im_end|>\\n' }}{% endif %}"

static const char chatml_source[] = "{% for message in messages %}" TURNS PROMPT;

static const struct chatml_form plain_form = {.head = "",
                                              .before_turn = "",
                                              .after_turn = "",
                                              .after_turns = "",
                                              .before_prompt = "",
                                              .after_prompt = "",
                                              .after_bos = ""};

/* Templates that render as plain ChatML, or with the system turn that stands at HOLE. */
static const char *const plain_sources[] = {
    chatml_source,
    PROMPT_DEFAULT "{% for message in messages %}" TURNS PROMPT,
    "{% for message in messages %}" SYSTEM TURNS PROMPT,
    PROMPT_DEFAULT "{% for message in messages %}" SYSTEM TURNS PROMPT,
};

/* Longer templates of others, known by the SHA-256 of their canonical text. */
static const struct {
    const char *name;
    const char *sha256;
    struct chatml_form form;
    const char *system;
} known_templates[] = {
    {"Qwen2.5",
     "6fc4313bc0b0d73ec8567829dacce6ebffbdc2686f07a3f92263db0fbec0d7c9",
     {.head = "",
      .before_turn = "",
      .after_turn = "",
      .after_turns = "",
      .before_prompt = "",
      .after_prompt = "",
      .after_bos = ""},
     "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."},
    {"chatml.jinja in one line",
     "741077b0cc5e8c42524903d7a2bbd3f529b073f8a9eec12d14e779eaf5c7c9a8",
     {.head = "",
      .before_turn = "",
      .after_turn = "",
      .after_turns = "",
      .before_prompt = "",
      .after_prompt = "",
      .after_bos = "",
      .bos = true,
      .strip = true,
      .alternate = true},
     NULL},
    {"chatml.jinja as laid out",
     "93aa0dfb53b4f47a50400413d98af5448496a7568ea056c95e8e1adbdc6bb601",
     {.head = "\n",
      .before_turn = "\n    ",
      .after_turn = "\n",
      .after_turns = "\n",
      .before_prompt = "    ",
      .after_prompt = "\n",
      .after_bos = "\n",
      .bos = true,
      .strip = true,
      .alternate = true},
     NULL},
};

const char *chat_template_chatml_source(void)
{
    return chatml_source;
}

/* The text of a single-quoted Jinja string; NULL if it ends inside or is beyond us. */
static char *unquote(const char *start, size_t bytes)
{
    struct text_buffer text = {0};
    for (size_t i = 0; i < bytes; i++) {
        char c = start[i];
        if (c == '\'')
            goto fail;
        if (c == '\\') {
            if (++i == bytes || !strchr("n'\\", start[i]))
                goto fail;
            c = start[i] == 'n' ? '\n' : start[i];
        }
        text_buffer_append_char(&text, c);
    }
    return text.data ? text_buffer_detach(&text) : memory_duplicate_string("");
fail:
    text_buffer_release(&text);
    return NULL;
}

/* Whether `canonical` is `known`, up to what stands at its HOLE. */
static bool matches(const char *canonical, const char *known, char **system)
{
    const char *hole = strstr(known, HOLE);
    if (!hole)
        return strcmp(canonical, known) == 0;
    const size_t before = (size_t)(hole - known);
    const char *after = hole + strlen(HOLE);
    const size_t length = strlen(canonical);
    if (length < before + strlen(after) || memcmp(canonical, known, before) != 0 ||
        strcmp(canonical + length - strlen(after), after) != 0)
        return false;
    *system = unquote(canonical + before, length - before - strlen(after));
    return *system != NULL;
}

static bool recognize_plain(struct chatml_form *form, const char *canonical)
{
    for (size_t i = 0; i < sizeof plain_sources / sizeof *plain_sources; i++) {
        struct text_buffer known = {0};
        CHECK(jinja_canonical(plain_sources[i], &known));
        char *system = NULL;
        const bool same = matches(canonical, text_buffer_string(&known), &system);
        text_buffer_release(&known);
        if (!same)
            continue;
        *form = plain_form;
        form->system = system;
        return true;
    }
    return false;
}

static bool recognize_known(struct chatml_form *form, const struct text_buffer *canonical)
{
    char hex[SHA256_HEX_BYTES];
    bytes_sha256(hex, text_buffer_string(canonical), canonical->length);
    for (size_t i = 0; i < sizeof known_templates / sizeof *known_templates; i++) {
        if (strcmp(known_templates[i].sha256, hex) != 0)
            continue;
        *form = known_templates[i].form;
        form->system = memory_duplicate_string(known_templates[i].system);
        return true;
    }
    return false;
}

/* What a template looks like, by the control tokens it writes. */
static const char *family(const char *source)
{
    static const struct {
        const char *mark;
        const char *name;
    } families[] = {
        {"<|im_start|>", "ChatML with rules of its own (thinking, tools, system texts)"},
        {"<|start_header_id|>", "Llama 3"},
        {"<start_of_turn>", "Gemma"},
        {"<|end|>", "Phi 3"},
        {"<\xEF\xBD\x9CUser\xEF\xBD\x9C>", "DeepSeek"},
        {"[INST]", "Llama 2 or Mistral"},
        {"<|user|>", "Zephyr"},
        {"'<|' + message['role'] + '|>", "Zephyr"},
    };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strstr(source, families[i].mark))
            return families[i].name;
    return "an unknown family";
}

enum status chatml_recognize(struct chatml_form *form, const char *source,
                             struct error *error)
{
    struct text_buffer canonical = {0};
    enum status status = STATUS_OK;
    *form = (struct chatml_form){0};
    if (!jinja_canonical(source, &canonical))
        status =
            error_set(error, STATUS_FORMAT, "chat template: a tag or a string has no end");
    else if (!recognize_plain(form, text_buffer_string(&canonical)) &&
             !recognize_known(form, &canonical))
        status = error_set(error, STATUS_UNSUPPORTED,
                           "chat template: it looks like %s; only ChatML is known, with "
                           "or without a default system turn",
                           family(source));
    text_buffer_release(&canonical);
    return status;
}

void chatml_form_release(struct chatml_form *form)
{
    free(form->system);
    *form = (struct chatml_form){0};
}
