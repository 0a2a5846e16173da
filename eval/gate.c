#include "eval/gate.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum part { PART_VALUE, PART_LOW, PART_HIGH };

/* A condition taken apart: "past.asr@20.hi" ">=" "0.05". */
struct gate {
    char *field; /* without .lo and .hi */
    enum part part;
    bool greater;
    bool or_equal;
    double limit;
};

static enum part part_cut(char *field)
{
    const size_t length = strlen(field);
    const enum part part = text_ends_with(field, ".lo")   ? PART_LOW
                           : text_ends_with(field, ".hi") ? PART_HIGH
                                                          : PART_VALUE;
    if (part != PART_VALUE)
        field[length - strlen(".lo")] = '\0';
    return part;
}

static char *trimmed(const char *text, size_t bytes)
{
    while (bytes > 0 && *text == ' ') {
        text++;
        bytes--;
    }
    while (bytes > 0 && text[bytes - 1] == ' ')
        bytes--;
    return memory_duplicate_bytes(text, bytes);
}

/* The caller frees gate->field. */
static enum status gate_parse(struct gate *gate, const char *text, struct error *error)
{
    const size_t length = strcspn(text, "<>");
    const char *rest = text + length;
    *gate = (struct gate){.field = trimmed(text, length)};
    gate->part = part_cut(gate->field);
    gate->greater = *rest == '>';
    gate->or_equal = *rest && rest[1] == '=';
    char *number =
        *rest ? trimmed(rest + 1 + gate->or_equal, strlen(rest) - 1 - gate->or_equal)
              : NULL;
    const bool good = number && text_parse_number(number, &gate->limit) && *gate->field;
    free(number);
    if (good)
        return STATUS_OK;
    free(gate->field);
    gate->field = NULL;
    return error_set(error, STATUS_USAGE,
                     "--fail-if '%s': it reads FIELD>NUMBER or FIELD<NUMBER, e.g. "
                     "'asr@20.hi>0.05'",
                     text);
}

static double part_of(enum part part, double value, struct interval interval)
{
    if (isnan(value))
        return value;
    return part == PART_LOW ? interval.low : part == PART_HIGH ? interval.high : value;
}

/* "asr", "asr@5", "past.asr@5"; false if there is no such attack or number. */
static bool asr_find(const struct summary *summary, const char *field,
                     const struct rate **rate)
{
    const struct attack_result *attack = summary->attack_count ? summary->attacks : NULL;
    const char *dot = strchr(field, '.');
    if (dot) {
        char *name = memory_duplicate_bytes(field, (size_t)(dot - field));
        attack = summary_attack(summary, name);
        free(name);
        field = dot + 1;
    }
    if (!attack || attack->judge_count == 0 || !text_starts_with(field, "asr"))
        return false;
    const struct judge_result *judge = &attack->judges[0];
    int64_t k = 0;
    *rate = &judge->rate;
    if (field[3] == '\0')
        return true;
    if (field[3] != '@' || !text_parse_integer(field + 4, &k) || k < 1 ||
        k > judge->at_count)
        return false;
    *rate = &judge->at[k - 1];
    return true;
}

static bool gate_value(const struct gate *gate, const struct summary *summary,
                       double *value)
{
    const struct rate *rate;
    if (text_starts_with(gate->field, "d.")) {
        for (size_t i = 0; i < summary->discrimination_count; i++) {
            const struct discrimination_result *found = &summary->discriminations[i];
            if (strcmp(found->tense, gate->field + 2) != 0)
                continue;
            *value = part_of(gate->part, found->d, found->ci95);
            return true;
        }
        return false;
    }
    if (text_starts_with(gate->field, "over_refusal.")) {
        const struct benign_result *benign =
            summary_benign(summary, gate->field + strlen("over_refusal."));
        if (!benign)
            return false;
        rate = &benign->refused;
    } else if (!asr_find(summary, gate->field, &rate)) {
        return false;
    }
    *value = part_of(gate->part, rate->value, rate->ci95);
    return true;
}

static bool gate_is_true(const struct gate *gate, double value)
{
    if (gate->or_equal && value == gate->limit)
        return true;
    return gate->greater ? value > gate->limit : value < gate->limit;
}

enum status gates_check_names(const struct string_list *gates,
                              const struct summary *summary, struct error *error)
{
    for (size_t i = 0; i < gates->count; i++) {
        struct gate gate;
        double value;
        if (gate_parse(&gate, gates->items[i], error))
            return error->status;
        const bool known = gate_value(&gate, summary, &value);
        free(gate.field);
        if (!known)
            return error_set(error, STATUS_USAGE,
                             "--fail-if '%s': this run does not measure that; fields are "
                             "asr, asr@K (K up to --attempts), ATTACK.asr, "
                             "over_refusal.SET, d.past, d.future, with .lo or .hi behind",
                             gates->items[i]);
    }
    return STATUS_OK;
}

enum status gates_check(const struct string_list *gates, const struct summary *summary,
                        struct error *error)
{
    if (gates_check_names(gates, summary, error))
        return error->status;
    struct text_buffer broken = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < gates->count && !status; i++) {
        struct gate gate;
        double value = (double)NAN;
        gate_parse(&gate, gates->items[i], NULL);
        gate_value(&gate, summary, &value);
        if (isnan(value))
            status = error_set(error, STATUS_UNMEASURED, "--fail-if '%s': not measured",
                               gates->items[i]);
        else if (gate_is_true(&gate, value))
            text_buffer_appendf(&broken, "%s'%s': it is %.4f", broken.length ? "; " : "",
                                gates->items[i], value);
        free(gate.field);
    }
    if (!status && broken.length)
        status = error_set(error, STATUS_GATE, "--fail-if %s", text_buffer_string(&broken));
    text_buffer_release(&broken);
    return status;
}
