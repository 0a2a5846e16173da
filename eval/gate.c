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

/* What a field names. */
struct measure {
    double value;             /* NaN: not measured */
    struct interval interval; /* NaN: it has none */
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

/* Cuts "past." off a field; without it the first attack is meant, NULL if there is none. */
static const struct attack_result *attack_cut(const struct summary *summary,
                                              const char **field)
{
    for (size_t i = 0; i < summary->attack_count; i++) {
        const char *name = summary->attacks[i].name;
        const size_t length = strlen(name);
        if (strncmp(*field, name, length) == 0 && (*field)[length] == '.') {
            *field += length + 1;
            return &summary->attacks[i];
        }
    }
    return summary->attack_count ? summary->attacks : NULL;
}

/* "asr", "asr@5"; false if there is no such number. */
static bool asr_find(const struct attack_result *attack, const char *field,
                     struct measure *measure)
{
    if (!text_starts_with(field, "asr"))
        return false;
    const struct judge_result *judge = &attack->judges[0];
    int64_t k = judge->at_count;
    if (field[3] != '\0' && (field[3] != '@' || !text_parse_integer(field + 4, &k) ||
                             k < 1 || k > judge->at_count))
        return false;
    const struct rate *rate = field[3] ? &judge->at[k - 1] : &judge->rate;
    *measure = (struct measure){rate->value, rate->ci95};
    return true;
}

static bool youden_find(const struct summary *summary, const struct attack_result *attack,
                        const char *set, struct measure *measure)
{
    for (size_t i = 0; i < summary->benign_count; i++)
        if (strcmp(summary->benign[i].name, set) == 0) {
            *measure = (struct measure){attack->youdens[i].j, attack->youdens[i].ci95};
            return true;
        }
    return false;
}

/* `names` is "gpt.llama", in either order. */
static bool kappa_find(const struct attack_result *attack, const char *names,
                       struct measure *measure)
{
    for (size_t i = 0; i < attack->pair_count; i++)
        for (int first = 0; first < 2; first++) {
            struct text_buffer name = {0};
            text_buffer_appendf(&name, "%s.%s", attack->pairs[i].names[first],
                                attack->pairs[i].names[1 - first]);
            const bool found = strcmp(text_buffer_string(&name), names) == 0;
            text_buffer_release(&name);
            if (!found)
                continue;
            *measure =
                (struct measure){attack->pairs[i].kappa, attack->pairs[i].kappa_ci95};
            return true;
        }
    return false;
}

static bool attack_find(const struct summary *summary, const char *field,
                        struct measure *measure)
{
    const struct attack_result *attack = attack_cut(summary, &field);
    if (!attack || attack->judge_count == 0)
        return false;
    if (text_starts_with(field, "youden."))
        return youden_find(summary, attack, field + strlen("youden."), measure);
    if (text_starts_with(field, "kappa."))
        return kappa_find(attack, field + strlen("kappa."), measure);
    if (strcmp(field, "asr_corrected") == 0) {
        *measure = (struct measure){attack->corrected.value, attack->corrected.ci95};
        return attack->is_corrected;
    }
    return asr_find(attack, field, measure);
}

static bool discrimination_find(const struct summary *summary, const char *tense,
                                struct measure *measure)
{
    for (size_t i = 0; i < summary->discrimination_count; i++) {
        const struct discrimination_result *found = &summary->discriminations[i];
        if (strcmp(found->tense, tense) != 0)
            continue;
        *measure = (struct measure){found->d, found->ci95};
        return true;
    }
    return false;
}

static bool field_find(const struct summary *summary, const char *field,
                       struct measure *measure)
{
    if (text_starts_with(field, "d."))
        return discrimination_find(summary, field + 2, measure);
    if (!text_starts_with(field, "over_refusal."))
        return attack_find(summary, field, measure);
    const struct benign_result *benign =
        summary_benign(summary, field + strlen("over_refusal."));
    if (benign)
        *measure = (struct measure){benign->refused.value, benign->refused.ci95};
    return benign != NULL;
}

static bool gate_value(const struct gate *gate, const struct summary *summary,
                       double *value)
{
    struct measure measure;
    if (!field_find(summary, gate->field, &measure))
        return false;
    *value = part_of(gate->part, measure.value, measure.interval);
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
                             "asr, asr@K (K up to --attempts), youden.SET, "
                             "kappa.JUDGE.JUDGE and, with q0 and q1, asr_corrected, each "
                             "also as ATTACK.…; over_refusal.SET, d.past, d.future; all "
                             "with .lo or .hi behind",
                             gates->items[i]);
    }
    return STATUS_OK;
}

enum gate_result gate_judge(const char *text, const struct summary *summary, double *value)
{
    struct gate gate;
    *value = (double)NAN;
    if (gate_parse(&gate, text, NULL))
        return GATE_UNMEASURED;
    gate_value(&gate, summary, value);
    const bool is_true = gate_is_true(&gate, *value);
    free(gate.field);
    return isnan(*value) ? GATE_UNMEASURED : is_true ? GATE_BROKEN : GATE_HOLDS;
}

enum status gates_check(const struct string_list *gates, const struct summary *summary,
                        struct error *error)
{
    const enum status known = gates_check_names(gates, summary, error);
    if (known)
        return known;
    struct text_buffer broken = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < gates->count && !status; i++) {
        double value;
        const enum gate_result result = gate_judge(gates->items[i], summary, &value);
        if (result == GATE_UNMEASURED)
            status = error_set(error, STATUS_UNMEASURED, "--fail-if '%s': not measured",
                               gates->items[i]);
        else if (result == GATE_BROKEN)
            text_buffer_appendf(&broken, "%s'%s': it is %.4f", broken.length ? "; " : "",
                                gates->items[i], value);
    }
    if (!status && broken.length)
        status = error_set(error, STATUS_GATE, "--fail-if %s", text_buffer_string(&broken));
    text_buffer_release(&broken);
    return status;
}
