#include "base/arena.h"

#include <stdint.h>
#include <sys/mman.h>

void *arena_push(struct arena *arena, size_t bytes)
{
    const size_t padding = ARENA_ALIGNMENT - 1;
    if (arena->overflow || bytes > SIZE_MAX - padding ||
        ((bytes + padding) & ~padding) > SIZE_MAX - arena->used) {
        CHECK(!arena->base); /* measured first, so it cannot overflow now */
        arena->overflow = true;
        return NULL;
    }
    const size_t start = arena->used;
    const size_t padded = (bytes + padding) & ~padding;
    CHECK(!arena->base || padded <= arena->bytes - start);
    arena->used = start + padded;
    return arena->base ? arena->base + start : NULL;
}

void *arena_push_array(struct arena *arena, size_t count, size_t bytes_each)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, bytes_each, &bytes))
        bytes = SIZE_MAX; /* what arena_push() takes for an overflow */
    return arena_push(arena, bytes);
}

/* Fresh pages are zero and stay untouched until used; huge pages save TLB misses. */
enum status arena_reserve(struct arena *arena, struct error *error)
{
    CHECK(!arena->base);
    if (arena->overflow)
        return error_set(error, STATUS_MEMORY,
                         "the sizes asked for exceed the address space; "
                         "use a smaller model, batch or context");
    const size_t bytes = arena->used > 0 ? arena->used : ARENA_ALIGNMENT;
    void *base =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
        const double gib = (double)bytes / (1024.0 * 1024.0 * 1024.0);
        return error_set(error, STATUS_MEMORY,
                         "cannot reserve %.2f GiB of memory; "
                         "use a smaller model, batch or context",
                         gib);
    }
    madvise(base, bytes, MADV_HUGEPAGE);
    *arena = (struct arena){.base = base, .bytes = bytes};
    return STATUS_OK;
}

void arena_rewind(struct arena *arena, size_t mark)
{
    CHECK(mark <= arena->used);
    arena->used = mark;
}

void arena_release(struct arena *arena)
{
    if (arena->base)
        munmap(arena->base, arena->bytes);
    *arena = (struct arena){0};
}
