#include "backend/backend.h"

#include "backend/operation_table.h"

#include <string.h>

enum status backend_open(struct backend **backend, const char *name, int thread_count,
                         struct error *error)
{
    *backend = NULL;
    if (thread_count < 0)
        return error_set(error, STATUS_USAGE, "%d threads: give 0 (all cores) or more",
                         thread_count);
    if (strcmp(name, "cpu") == 0)
        return cpu_backend_open(backend, thread_count, error);
    if (strcmp(name, "cuda") == 0)
        return error_set(error, STATUS_UNSUPPORTED,
                         "back-end \"cuda\": this holdfast was built without CUDA; "
                         "use \"cpu\"");
    return error_set(error, STATUS_USAGE, "back-end \"%s\" is not known: use \"cpu\"",
                     name);
}

void backend_close(struct backend *backend)
{
    if (backend)
        backend->table->close(backend);
}

const char *backend_name(const struct backend *backend)
{
    return backend->table->name;
}

int backend_thread_count(const struct backend *backend)
{
    return backend->table->thread_count(backend);
}

const char *backend_description(const struct backend *backend)
{
    return backend->table->description(backend);
}

void *backend_allocate(struct backend *backend, size_t bytes, struct error *error)
{
    return backend->table->allocate(backend, bytes, error);
}

void backend_free(struct backend *backend, void *memory)
{
    if (memory)
        backend->table->free(backend, memory);
}

void backend_copy_in(struct backend *backend, void *device, const void *host, size_t bytes)
{
    if (!backend->error.status && bytes > 0)
        backend->table->copy_in(backend, device, host, bytes);
}

void backend_copy_out(struct backend *backend, void *host, const void *device, size_t bytes)
{
    if (!backend->error.status && bytes > 0)
        backend->table->copy_out(backend, host, device, bytes);
}

enum status backend_sync(struct backend *backend, struct error *error)
{
    if (!backend->error.status)
        backend->table->sync(backend);
    if (backend->error.status && error)
        *error = backend->error;
    return backend->error.status;
}
