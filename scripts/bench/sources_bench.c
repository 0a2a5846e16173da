/*
 * sources_bench FILE COUNT: chooses COUNT chats of a source at random, as `holdfast data`
 * does, and prints a line of JSON: seconds by the clock when the rows are known ("walk"),
 * chosen and parsed, and the file's hash is done, which begins first and runs beside;
 * seconds of processor time of all threads when chosen, and in all; the peak of memory.
 */

#include "base/memory.h"
#include "base/random.h"
#include "data_gen/source.h"
#include "data_gen/source_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    struct error error;
    struct conversation_list list;
    struct conversation chat;
    char hex[SHA256_HEX_BYTES];
    size_t messages = 0;
    const double start = seconds(CLOCK_MONOTONIC);
    if (argc != 3 || conversation_list_read(&list, argv[1], &error)) {
        fprintf(stderr, "sources_bench: %s\n", argc == 3 ? error.message : "FILE COUNT");
        return 1;
    }
    const double walked = seconds(CLOCK_MONOTONIC);
    struct random random = random_stream(1, 0);
    int64_t *order = memory_allocate_array(list.count, sizeof *order);
    for (size_t i = 0; i < list.count; i++)
        order[i] = (int64_t)i;
    random_shuffle(&random, order, list.count);
    for (size_t i = 0; i < (size_t)atoll(argv[2]) && i < list.count; i++) {
        CHECK(!conversation_list_get(&list, (size_t)order[i], &chat, &error));
        messages += chat.message_count;
        conversation_release(&chat);
    }
    const double chosen = seconds(CLOCK_MONOTONIC);
    const double chosen_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    struct source_hash *hash = conversation_list_take_hash(&list);
    CHECK(!source_hash_wait(hash, hex, &error));
    const double hashed = seconds(CLOCK_MONOTONIC);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"rows\":%zu,\"messages\":%zu,\"walk\":%.3f,\"choose\":%.3f,\"hashed\":%.3f,"
           "\"chosen_cpu\":%.3f,\"process\":%.3f,\"kib\":%ld}\n",
           list.count, messages, walked - start, chosen - start, hashed - start, chosen_cpu,
           seconds(CLOCK_PROCESS_CPUTIME_ID), usage.ru_maxrss);
    source_hash_free(hash);
    conversation_list_release(&list);
    free(order);
    return 0;
}
