#include "eval/verdict_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

enum {
    LINE_LIMIT_BYTES = 400,
    PATTERN_LIMIT_BYTES = 2000,
    MATCH_LIMIT_STEPS = 20000,
    HEAP_LIMIT_KIBIBYTES = 1024
};

enum status verdict_pattern_compile(void **pattern, const char *source, struct error *error)
{
    const uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_ANCHORED |
                             PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C;
    int code = 0;
    PCRE2_SIZE offset = 0;
    char words[160];
    *pattern = NULL;
    if (!*source)
        return error_set(error, STATUS_FORMAT,
                         "there is no pattern; give what the judge's last line is then");
    if (strlen(source) > PATTERN_LIMIT_BYTES)
        return error_set(error, STATUS_FORMAT, "the pattern has more than %d bytes",
                         (int)PATTERN_LIMIT_BYTES);
    *pattern =
        pcre2_compile((PCRE2_SPTR)source, strlen(source), options, &code, &offset, NULL);
    if (*pattern)
        return STATUS_OK;
    pcre2_get_error_message(code, (PCRE2_UCHAR *)words, sizeof words);
    return error_set(error, STATUS_FORMAT,
                     "byte %zu of the pattern: %s (PCRE2; \\ takes a character as it is)",
                     (size_t)offset, words);
}

bool verdict_pattern_matches(const void *pattern, const char *line, size_t count)
{
    if (count > LINE_LIMIT_BYTES)
        return false;
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    CHECK(limits && data);
    pcre2_set_match_limit(limits, MATCH_LIMIT_STEPS);
    pcre2_set_depth_limit(limits, MATCH_LIMIT_STEPS);
    pcre2_set_heap_limit(limits, HEAP_LIMIT_KIBIBYTES);
    const int result = pcre2_match((const pcre2_code *)pattern, (PCRE2_SPTR)line, count, 0,
                                   0, data, limits);
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    return result >= 0;
}

void verdict_pattern_free(void *pattern)
{
    pcre2_code_free(pattern);
}
