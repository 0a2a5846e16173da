#include "eval/replayed_run.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static const char harmful[] = "harmful";

enum status replayed_run_read(struct replayed_run *run, const char *folder,
                              struct error *error)
{
    struct file_map map;
    *run = (struct replayed_run){0};
    char *path = path_join(folder, "attempts.jsonl");
    enum status status = file_map(&map, path, error);
    if (!status) {
        bytes_sha256(run->sha256, map.data, map.bytes);
        status =
            attempts_parse(&run->attempts, (const char *)map.data, map.bytes, path, error);
        file_unmap(&map);
    }
    free(path);
    if (status) {
        replayed_run_release(run);
        return error_prefix(error, "--replay");
    }
    return STATUS_OK;
}

void replayed_run_release(struct replayed_run *run)
{
    attempt_list_release(&run->attempts);
}

int64_t replayed_run_attempts(const struct replayed_run *run, int64_t index,
                              const char *attack, int64_t limit)
{
    int64_t count = 0;
    while (count < limit &&
           attempt_list_find(&run->attempts, harmful, index, attack, count + 1))
        count++;
    return count;
}

static bool holds_attack(const struct replayed_run *run, const char *attack)
{
    for (size_t i = 0; i < run->attempts.count; i++)
        if (strcmp(run->attempts.items[i].set, harmful) == 0 &&
            strcmp(run->attempts.items[i].attack, attack) == 0)
            return true;
    return false;
}

static enum status request_check(const struct replayed_run *run,
                                 const struct request *request, const char *attack,
                                 struct error *error)
{
    const struct attempt *stored =
        attempt_list_find(&run->attempts, harmful, request->index, attack, 1);
    if (!stored)
        return error_set(error, STATUS_USAGE,
                         "--replay: behaviour %lld ('%.100s') was not attacked there: give "
                         "the --behaviors and --limit of that run, or fewer",
                         (long long)request->index, request->text);
    if (strcmp(stored->request, request->text) != 0)
        return error_set(error, STATUS_USAGE,
                         "--replay: behaviour %lld is '%.100s' here and '%.100s' there: "
                         "the lists differ",
                         (long long)request->index, request->text, stored->request);
    return STATUS_OK;
}

enum status replayed_run_check(const struct replayed_run *run,
                               const struct request_list *list, size_t count,
                               const char *attack, int64_t wanted, bool fixed,
                               struct error *error)
{
    int64_t first = 0;
    if (!holds_attack(run, attack))
        return error_set(error, STATUS_USAGE,
                         "--replay: the run holds no attack '%s': fresh:%s makes it anew",
                         attack, attack);
    for (size_t i = 0; i < count; i++) {
        const struct request *request = &list->items[i];
        if (request_check(run, request, attack, error))
            return error->status;
        const int64_t attempts =
            replayed_run_attempts(run, request->index, attack, INT64_MAX);
        first = i == 0 ? attempts : first;
        if (fixed && attempts != first)
            return error_set(error, STATUS_USAGE,
                             "--replay: behaviour %lld has %lld attempts and others have "
                             "%lld, for that run stopped at hits: --stop never would "
                             "measure with a bias; use --stop first-hit",
                             (long long)request->index, (long long)attempts,
                             (long long)first);
    }
    if (fixed && first < wanted)
        return error_set(error, STATUS_USAGE,
                         "--replay: that run made %lld attempts: give --attempts %lld or "
                         "fewer with --stop never",
                         (long long)first, (long long)first);
    return STATUS_OK;
}
