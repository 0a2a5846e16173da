/* Looking things up in the runs by name, and naming the runs themselves. */

#include "base/memory.h"
#include "base/text_buffer.h"
#include "eval/report_data.h"

#include <stdlib.h>
#include <string.h>

static const struct report_rate unmeasured = {.hits = -1, .count = -1};

const struct report_attack *report_attack(const struct report_run *run, const char *attack)
{
    for (size_t i = 0; i < run->attack_count; i++)
        if (!strcmp(run->attacks[i].name, attack))
            return &run->attacks[i];
    return NULL;
}

struct report_rate report_asr(const struct report_run *run, const char *attack)
{
    const struct report_attack *found = report_attack(run, attack);
    return found && found->judge_count ? found->judges[0].asr : unmeasured;
}

struct report_rate report_category_asr(const struct report_run *run, const char *attack,
                                       const char *category)
{
    const struct report_attack *found = report_attack(run, attack);
    for (size_t i = 0; found && i < found->category_count; i++)
        if (!strcmp(found->categories[i].name, category))
            return found->categories[i].asr;
    return unmeasured;
}

struct report_rate report_refused(const struct report_run *run, const char *set)
{
    for (size_t i = 0; i < run->benign_count; i++)
        if (!strcmp(run->benign[i].name, set))
            return run->benign[i].refused;
    return unmeasured;
}

const struct report_discrimination *report_discrimination(const struct report_run *run,
                                                          const char *attack)
{
    for (size_t i = 0; i < run->discrimination_count; i++)
        if (!strcmp(run->discriminations[i].attack, attack))
            return &run->discriminations[i];
    return NULL;
}

void report_names_add(struct report_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (!strcmp(names->items[i], name))
            return;
    array_reserve(names->items, names->capacity, names->count + 1);
    names->items[names->count++] = name;
}

struct report_names report_attack_names(const struct report *report)
{
    static const char *const first[] = {"none", "past", "future"};
    struct report_names names = {0};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        for (size_t run = 0; run < report->count; run++)
            if (report_attack(&report->runs[run], first[i]))
                report_names_add(&names, first[i]);
    for (size_t run = 0; run < report->count; run++)
        for (size_t i = 0; i < report->runs[run].attack_count; i++)
            report_names_add(&names, report->runs[run].attacks[i].name);
    return names;
}

struct report_names report_category_names(const struct report *report, const char *attack)
{
    struct report_names names = {0};
    for (size_t run = 0; run < report->count; run++) {
        const struct report_attack *found = report_attack(&report->runs[run], attack);
        for (size_t i = 0; found && i < found->category_count; i++)
            report_names_add(&names, found->categories[i].name);
    }
    return names;
}

struct report_names report_set_names(const struct report *report)
{
    struct report_names names = {0};
    for (size_t run = 0; run < report->count; run++)
        for (size_t i = 0; i < report->runs[run].benign_count; i++)
            report_names_add(&names, report->runs[run].benign[i].name);
    return names;
}

struct report_names report_discrimination_names(const struct report *report)
{
    struct report_names names = {0};
    for (size_t run = 0; run < report->count; run++)
        for (size_t i = 0; i < report->runs[run].discrimination_count; i++)
            report_names_add(&names, report->runs[run].discriminations[i].attack);
    return names;
}

const char *report_main_attack(const struct report *report)
{
    struct report_names names = report_attack_names(report);
    const char *found = names.count ? names.items[names.count - 1] : NULL;
    for (size_t i = 0; i < names.count; i++)
        if (!strcmp(names.items[i], "past"))
            found = names.items[i];
    free(names.items);
    return found;
}

/* A path without empty and "." components and without slashes at the ends. */
static char *path_tidy(const char *path)
{
    struct text_buffer tidy = {0};
    while (*path) {
        const size_t bytes = strcspn(path, "/");
        const bool here = bytes == 1 && *path == '.';
        if (bytes && !here) {
            text_buffer_append(&tidy, tidy.length ? "/" : "");
            text_buffer_append_bytes(&tidy, path, bytes);
        }
        path += bytes + (path[bytes] == '/');
    }
    return tidy.data ? text_buffer_detach(&tidy) : memory_duplicate_string("");
}

/* The last `count` components of a tidy path, borrowed. */
static const char *path_tail(const char *path, size_t count)
{
    const char *tail = path + strlen(path);
    while (tail > path && (tail[-1] != '/' || --count > 0))
        tail--;
    return tail;
}

/* Cuts the last component off all labels, if it is the same and not the only one. */
static bool cut_common_end(struct report *report)
{
    const char *end = strrchr(report->runs[0].label, '/');
    for (size_t i = 0; end && i < report->count; i++) {
        const char *other = strrchr(report->runs[i].label, '/');
        if (!other || strcmp(end, other) != 0)
            end = NULL;
    }
    if (!end)
        return false;
    for (size_t i = report->count; i-- > 0;)
        *strrchr(report->runs[i].label, '/') = '\0';
    return true;
}

static bool all_labels_equal(const struct report *report)
{
    for (size_t i = 1; i < report->count; i++)
        if (strcmp(report->runs[0].label, report->runs[i].label) != 0)
            return false;
    return true;
}

static bool tails_differ(const struct report *report, size_t count)
{
    for (size_t i = 0; i < report->count; i++)
        for (size_t j = 0; j < i; j++)
            if (!strcmp(path_tail(report->runs[i].label, count),
                        path_tail(report->runs[j].label, count)))
                return false;
    return true;
}

/* "run", then "run (2)" for a folder that is there twice. */
static void number_label(struct report *report, size_t index)
{
    struct report_run *run = &report->runs[index];
    size_t same = 1;
    for (size_t i = 0; i < index; i++)
        same += !strcmp(report->runs[i].label, run->label);
    if (same == 1 && *run->label)
        return;
    struct text_buffer label = {0};
    text_buffer_append(&label, *run->label ? run->label : "run");
    if (same > 1)
        text_buffer_appendf(&label, " (%zu)", same);
    free(run->label);
    run->label = text_buffer_detach(&label);
}

void report_set_labels(struct report *report)
{
    for (size_t i = 0; i < report->count; i++)
        report->runs[i].label = path_tidy(report->runs[i].path);
    while (report->count > 1 && !all_labels_equal(report) && cut_common_end(report))
        ;
    size_t components = 1;
    while (components < 16 && !tails_differ(report, components))
        components++;
    if (components == 16) /* a folder is there twice */
        components = 1;
    for (size_t i = 0; i < report->count; i++) {
        char *path = report->runs[i].label;
        report->runs[i].label = memory_duplicate_string(path_tail(path, components));
        free(path);
    }
    for (size_t i = report->count; i-- > 0;)
        number_label(report, i);
}
