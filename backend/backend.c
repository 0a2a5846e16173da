#include "backend/backend.h"

#include "backend/operation_table.h"

#include <stdlib.h>
#include <string.h>

/* The number of "cuda" or "cuda:N"; -1 for anything else. */
static int cuda_device_number(const char *name)
{
    static const char prefix[] = "cuda";
    if (strncmp(name, prefix, strlen(prefix)) != 0)
        return -1;
    const char *rest = name + strlen(prefix);
    if (*rest == '\0')
        return 0;
    char *end;
    const long number = strtol(rest + 1, &end, 10);
    const bool good = *rest == ':' && rest[1] >= '0' && rest[1] <= '9' && *end == '\0';
    return good && number < 1024 ? (int)number : -1;
}

static bool precision_is_known(const char *name)
{
    return !name || strcmp(name, "auto") == 0 || strcmp(name, "fp32") == 0 ||
           strcmp(name, "bf16") == 0 || strcmp(name, "fp8") == 0;
}

enum status backend_open(struct backend **backend, const struct backend_options *options,
                         struct error *error)
{
    const char *device = options->device ? options->device : "cpu";
    *backend = NULL;
    if (options->thread_count < 0)
        return error_set(error, STATUS_USAGE, "%d threads: give 0 (all cores) or more",
                         options->thread_count);
    if (!precision_is_known(options->precision))
        return error_set(error, STATUS_USAGE,
                         "precision \"%s\" is not known: use auto, fp32, bf16 or fp8",
                         options->precision);
    if (strcmp(device, "cpu") == 0)
        return cpu_backend_open(backend, options, error);
    const int number = cuda_device_number(device);
    if (number >= 0)
        return cuda_backend_open(backend, number, options, error);
    return error_set(error, STATUS_USAGE,
                     "device \"%s\" is not known: use cpu, cuda or cuda:N", device);
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

bool backend_on_host(const struct backend *backend)
{
    return backend->table->on_host;
}

int backend_thread_count(const struct backend *backend)
{
    return backend->table->thread_count(backend);
}

enum dtype backend_compute_dtype(const struct backend *backend)
{
    return backend->compute_dtype;
}

enum dtype backend_activation_dtype(const struct backend *backend)
{
    return backend->activation_dtype;
}

enum dtype backend_operand_dtype(const struct backend *backend)
{
    return backend->operand_dtype;
}

bool backend_fp8(const struct backend *backend)
{
    return backend->fp8;
}

bool backend_memory(struct backend *backend, size_t *free_bytes, size_t *total_bytes)
{
    return backend->table->memory(backend, free_bytes, total_bytes);
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

void backend_fail(struct backend *backend, const struct error *error)
{
    if (!backend->error.status)
        backend->error = *error;
}

enum status backend_sync(struct backend *backend, struct error *error)
{
    if (!backend->error.status)
        backend->table->sync(backend);
    if (backend->error.status && error)
        *error = backend->error;
    return backend->error.status;
}

bool backend_record_begin(struct backend *backend)
{
    return !backend->error.status && backend->table->record_begin(backend);
}

struct recording *backend_record_end(struct backend *backend)
{
    return backend->table->record_end(backend);
}

void backend_record_launch(struct backend *backend, struct recording *recording)
{
    if (!backend->error.status)
        backend->table->record_launch(backend, recording);
}

void backend_record_free(struct backend *backend, struct recording *recording)
{
    if (recording)
        backend->table->record_free(backend, recording);
}
