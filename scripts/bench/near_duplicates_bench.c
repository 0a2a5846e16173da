/*
 * near_duplicates_bench TEXTS THRESHOLD: reads texts, one a line, and adds them one by one.
 * Prints the number of each near-duplicate and of what it is one of, then seconds to
 * stderr.
 */
#include "base/file.h"
#include "base/memory.h"
#include "base/text_buffer.h"
#include "data_gen/near_duplicates.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    struct error error = {0};
    struct file_map map;
    double threshold;
    if (argc != 3 || !text_parse_number(argv[2], &threshold) ||
        file_map(&map, argv[1], &error)) {
        fprintf(stderr, "usage: near_duplicates_bench TEXTS THRESHOLD %s\n", error.message);
        return 2;
    }
    struct line_reader lines = {.data = (const char *)map.data, .bytes = map.bytes};
    struct near_duplicates *index = near_duplicates_create(threshold);
    int64_t *kept = memory_allocate_array(map.bytes + 1, sizeof *kept); /* line of each */
    int64_t kept_count = 0;
    const double begin = seconds();
    while (line_next(&lines)) {
        char *text = memory_duplicate_bytes(lines.line, lines.line_bytes);
        const int64_t found = near_duplicates_add(index, text);
        if (found < 0)
            kept[kept_count++] = lines.number - 1;
        else
            printf("%lld %lld\n", (long long)lines.number - 1, (long long)kept[found]);
        free(text);
    }
    fprintf(stderr, "%.4f\n", seconds() - begin);
    near_duplicates_free(index);
    free(kept);
    file_unmap(&map);
    return 0;
}
