#include "train/checkpoint.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "checkpoints/model_directory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *checkpoint_name(const char *run, int64_t step, const char *suffix)
{
    struct text_buffer path = {0};
    text_buffer_appendf(&path, "%s/checkpoints/step-%06lld%s", run, (long long)step,
                        suffix);
    return text_buffer_detach(&path);
}

/* The arrays of both moments, in the order in which files have them, as ranks that do not
 * write send them: f32 beside codes comes first (checkpoints/safetensors.h). */
enum { ARRAYS = 2 * ADAMW_ARRAYS };

static const struct {
    const char *name;
    int moment;
    enum adamw_array array;
} arrays[ARRAYS] = {
    {"moment1.scales", 1, ADAMW_SCALES}, {"moment1.small", 1, ADAMW_SMALL_VALUES},
    {"moment2.scales", 2, ADAMW_SCALES}, {"moment2.small", 2, ADAMW_SMALL_VALUES},
    {"moment1", 1, ADAMW_VALUES},        {"moment2", 2, ADAMW_VALUES},
};

static const struct adamw_moment *moment_of(const struct adamw *adamw, int number)
{
    return arrays[number].moment == 1 ? &adamw->moment1 : &adamw->moment2;
}

static enum adamw_array array_of(int number)
{
    return arrays[number].array;
}

/* The arrays that are being written, one after the other, a unit at a time. */
struct moment_source {
    struct adamw *adamw;
    struct safetensors_tensor tensors[ARRAYS];
    int numbers[ARRAYS]; /* of each tensor among arrays[] */
    size_t count;
    const struct safetensors_tensor *tensor; /* whose unit is in `values`; NULL: none */
    int64_t unit;
    void *values; /* of the longest unit */
};

static int number_of(const struct moment_source *source,
                     const struct safetensors_tensor *tensor)
{
    for (size_t i = 0; i < source->count; i++)
        if (strcmp(source->tensors[i].name, tensor->name) == 0)
            return source->numbers[i];
    CHECK(false);
    return 0;
}

static enum status moment_advance(struct moment_source *source,
                                  const struct safetensors_tensor *tensor,
                                  struct error *error)
{
    const int number = number_of(source, tensor);
    /* The others send in this order: another one would mix up their numbers. */
    CHECK(!source->tensor || number >= number_of(source, source->tensor));
    source->unit = source->tensor == tensor ? source->unit + 1 : 0;
    source->tensor = tensor;
    return adamw_gather_array(source->adamw, moment_of(source->adamw, number),
                              array_of(number), source->unit, source->values, error);
}

static enum status moment_read_unit(void *context, const struct safetensors_tensor *tensor,
                                    int64_t first, int64_t count, void *values,
                                    struct error *error)
{
    struct moment_source *source = context;
    const struct adamw *adamw = source->adamw;
    const enum adamw_array array = array_of(number_of(source, tensor));
    const size_t each = dtype_bytes(tensor->dtype);
    unsigned char *out = values;
    for (int64_t end = first + count; first < end;) {
        if (source->tensor != tensor ||
            first >= adamw_array_start(adamw, array, source->unit + 1))
            if (moment_advance(source, tensor, error))
                return error->status;
        const int64_t start = adamw_array_start(adamw, array, source->unit);
        const int64_t stop = adamw_array_start(adamw, array, source->unit + 1);
        const int64_t part = (end < stop ? end : stop) - first;
        memcpy(out, (const char *)source->values + (size_t)(first - start) * each,
               (size_t)part * each);
        out += (size_t)part * each;
        first += part;
    }
    return STATUS_OK;
}

static size_t longest_unit_bytes(const struct adamw *adamw, enum adamw_array array)
{
    int64_t most = 0;
    for (int64_t unit = 0; unit < adamw->sharding.unit_count; unit++) {
        const int64_t count = adamw_array_start(adamw, array, unit + 1) -
                              adamw_array_start(adamw, array, unit);
        most = count > most ? count : most;
    }
    return (size_t)most * dtype_bytes(adamw_array_dtype(adamw, array));
}

/* Lists the tensors; returns the bytes of their longest unit. */
static size_t source_list(struct moment_source *source)
{
    const struct adamw *adamw = source->adamw;
    size_t most = 0;
    for (int i = 0; i < ARRAYS; i++) {
        const enum adamw_array array = array_of(i);
        const enum dtype dtype = adamw_array_dtype(adamw, array);
        const int64_t count = adamw_array_count(adamw, array);
        const size_t bytes = longest_unit_bytes(adamw, array);
        if (count == 0)
            continue;
        source->numbers[source->count] = i;
        source->tensors[source->count++] =
            (struct safetensors_tensor){.name = arrays[i].name,
                                        .dtype = dtype,
                                        .stored = dtype,
                                        .rank = 1,
                                        .shape = {count}};
        most = bytes > most ? bytes : most;
    }
    return most;
}

static enum status moments_write(const char *directory, struct adamw *adamw,
                                 struct error *error)
{
    struct moment_source source = {.adamw = adamw};
    source.values = memory_allocate(source_list(&source));
    char *path = path_join(directory, "optimizer.safetensors");
    const struct safetensors_source reader = {moment_read_unit, &source};
    const enum status status =
        safetensors_write_from(path, source.tensors, source.count, NULL, 0, &reader, error);
    free(path);
    free(source.values);
    return status;
}

/* What a rank that does not write does while rank 0 is in weights_write() and
 * moments_write(). */
static enum status checkpoint_serve(const struct transformer *model, struct adamw *adamw,
                                    struct error *error)
{
    enum status status = transformer_serve_weights(model, error);
    for (int i = 0; i < ARRAYS; i++) {
        const enum adamw_array array = array_of(i);
        if (adamw_array_count(adamw, array) == 0)
            continue;
        for (int64_t unit = 0; !status && unit < adamw->sharding.unit_count; unit++)
            status =
                adamw_gather_array(adamw, moment_of(adamw, i), array, unit, NULL, error);
    }
    return status;
}

static enum status state_write(const char *directory, int64_t step,
                               const struct checkpoint_place *place, struct error *error)
{
    struct text_buffer text = {0};
    struct json_writer json = {.out = &text};
    json_object_begin(&json, NULL);
    json_integer(&json, "step", step);
    json_string(&json, "identity", place->identity);
    json_string(&json, "moments", place->moments);
    json_string(&json, "masters", place->masters);
    json_object_end(&json);
    text_buffer_append_char(&text, '\n');
    char *path = path_join(directory, "state.json");
    enum status status = file_write_all(path, text.data, text.length, error);
    free(path);
    text_buffer_release(&text);
    return status;
}

static enum status weights_write(const struct checkpoint_place *place,
                                 const char *directory, const struct transformer *model,
                                 struct error *error)
{
    if (transformer_lora(model))
        return transformer_write_adapter(model, place->base, directory, DTYPE_F32, error);
    /* Without masters the weights are bf16, and that is all there is. */
    const enum dtype stored = strcmp(place->masters, "none") == 0 ? DTYPE_BF16 : DTYPE_F32;
    if (architecture_copy_config(place->metadata, directory, stored, error))
        return error->status;
    return transformer_write_weights(model, directory, stored, error);
}

static enum status checkpoint_fill(const struct checkpoint_place *place,
                                   const char *directory, const struct transformer *model,
                                   struct adamw *adamw, int64_t step, struct error *error)
{
    if (file_remove_tree(directory, error) || file_make_directories(directory, error) ||
        model_directory_copy_metadata(place->metadata, directory, error) ||
        training_data_write(place->trained_on, directory, error) ||
        weights_write(place, directory, model, error) ||
        moments_write(directory, adamw, error))
        return error->status;
    return state_write(directory, step, place, error);
}

static enum status checkpoint_place_whole(const struct checkpoint_place *place,
                                          const struct transformer *model,
                                          struct adamw *adamw, int64_t step,
                                          struct error *error)
{
    char *temporary = checkpoint_name(place->run, step, ".tmp");
    char *path = checkpoint_name(place->run, step, "");
    enum status status = checkpoint_fill(place, temporary, model, adamw, step, error);
    if (!status)
        status = file_remove_tree(path, error);
    if (!status)
        status = file_rename_directory(temporary, path, error);
    if (status) /* a torn one would fill the disk on which the next is to fit */
        file_remove_tree(temporary, NULL);
    free(temporary);
    free(path);
    return status;
}

enum status checkpoint_write(const struct checkpoint_place *place,
                             const struct transformer *model, struct adamw *adamw,
                             int64_t step, struct error *error)
{
    struct tensor remainders = transformer_remainders(model);
    if (adamw_gather_remainders(adamw, &remainders, error))
        return error->status;
    if (collectives_rank(adamw->collectives) != 0)
        return checkpoint_serve(model, adamw, error);
    return checkpoint_place_whole(place, model, adamw, step, error);
}

/* -1 unless the name is step-N (whole) or step-N.tmp (torn). */
static int64_t step_of_name(const char *name, bool *torn)
{
    if (!text_starts_with(name, "step-"))
        return -1;
    char *end;
    errno = 0;
    const long long step = strtoll(name + 5, &end, 10);
    if (end == name + 5 || errno || step < 0)
        return -1;
    *torn = strcmp(end, ".tmp") == 0;
    return *torn || *end == '\0' ? step : -1;
}

struct checkpoint_names {
    char **names;
    int64_t *steps;
    bool *torn;
    size_t count;
};

static void names_release(struct checkpoint_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    free(names->steps);
    free(names->torn);
}

static void names_add(struct checkpoint_names *names, const char *name, int64_t step,
                      bool torn)
{
    const size_t count = names->count + 1;
    names->names = memory_resize_array(names->names, count, sizeof *names->names);
    names->steps = memory_resize_array(names->steps, count, sizeof *names->steps);
    names->torn = memory_resize_array(names->torn, count, sizeof *names->torn);
    names->names[names->count] = memory_duplicate_string(name);
    names->steps[names->count] = step;
    names->torn[names->count] = torn;
    names->count = count;
}

static enum status names_read(struct checkpoint_names *names, const char *folder,
                              struct error *error)
{
    *names = (struct checkpoint_names){0};
    DIR *directory = opendir(folder);
    if (!directory && errno == ENOENT)
        return STATUS_OK;
    if (!directory)
        return error_set_errno(error, errno, "%s: cannot list", folder);
    for (const struct dirent *entry; (entry = readdir(directory));) {
        bool torn = false;
        const int64_t step = step_of_name(entry->d_name, &torn);
        if (step >= 0)
            names_add(names, entry->d_name, step, torn);
    }
    closedir(directory);
    return STATUS_OK;
}

enum status checkpoint_find(const char *run, int64_t *step, char **path,
                            struct error *error)
{
    char *folder = path_join(run, "checkpoints");
    struct checkpoint_names names;
    *step = 0;
    *path = NULL;
    enum status status = names_read(&names, folder, error);
    for (size_t i = 0; i < names.count; i++) {
        if (names.torn[i] || names.steps[i] <= *step)
            continue;
        free(*path);
        *path = path_join(folder, names.names[i]);
        *step = names.steps[i];
    }
    names_release(&names);
    free(folder);
    return status;
}

static int64_t newer_count(const struct checkpoint_names *names, int64_t step)
{
    int64_t newer = 0;
    for (size_t i = 0; i < names->count; i++)
        newer += !names->torn[i] && names->steps[i] > step;
    return newer;
}

/* A whole one gets a torn one's name first: killed midway, it must not pass for whole. */
static enum status checkpoint_remove(const char *path, bool torn, struct error *error)
{
    if (torn)
        return file_remove_tree(path, error);
    struct text_buffer temporary = {0};
    text_buffer_appendf(&temporary, "%s.tmp", path);
    const char *name = text_buffer_string(&temporary);
    enum status status = file_remove_tree(name, error);
    if (!status)
        status = file_rename_directory(path, name, error);
    if (!status)
        status = file_remove_tree(name, error);
    text_buffer_release(&temporary);
    return status;
}

enum status checkpoint_prune(const char *run, int64_t keep, struct error *error)
{
    char *folder = path_join(run, "checkpoints");
    struct checkpoint_names names;
    enum status status = names_read(&names, folder, error);
    for (size_t i = 0; i < names.count && !status; i++) {
        const bool old = keep > 0 && newer_count(&names, names.steps[i]) >= keep;
        if (!names.torn[i] && !old)
            continue;
        char *path = path_join(folder, names.names[i]);
        status = checkpoint_remove(path, names.torn[i], error);
        free(path);
    }
    names_release(&names);
    free(folder);
    return status;
}

/* A setting that older checkpoints do not name is left to the identity. */
static enum status setting_check(const cJSON *state, const char *key, const char *wanted,
                                 const char *path, struct error *error)
{
    const cJSON *item = json_get(state, key);
    if (!cJSON_IsString(item) || strcmp(item->valuestring, wanted) == 0)
        return STATUS_OK;
    return error_set(error, STATUS_USAGE,
                     "%s: the checkpoint was made with other settings: --%s %s, not %s; "
                     "resume with those, or begin anew in another --out",
                     path, key, item->valuestring, wanted);
}

static enum status state_read(const char *path, const struct checkpoint_place *place,
                              int64_t *step, struct error *error)
{
    cJSON *state = NULL;
    const char *stored = NULL;
    if (json_parse_file(&state, path, error))
        return error->status;
    enum status status = json_required_integer(state, "step", step, path, error);
    if (!status)
        status = json_required_string(state, "identity", &stored, path, error);
    if (!status)
        status = setting_check(state, "moments", place->moments, path, error);
    if (!status)
        status = setting_check(state, "masters", place->masters, path, error);
    if (!status && strcmp(stored, place->identity) != 0)
        status = error_set(error, STATUS_USAGE,
                           "%s: the checkpoint was made with other settings, data or start "
                           "weights; resume with those of config.yaml beside it, or begin "
                           "anew in another --out",
                           path);
    cJSON_Delete(state);
    return status;
}

static enum status array_read(const struct safetensors *file, struct adamw *adamw,
                              int number, struct error *error)
{
    const enum adamw_array array = array_of(number);
    const struct safetensors_entry *entry = safetensors_find(file, arrays[number].name);
    const enum dtype dtype = adamw_array_dtype(adamw, array);
    const int64_t count = adamw_array_count(adamw, array);
    if (!entry || entry->dtype != dtype || entry->count != count)
        return error_set(error, STATUS_FORMAT,
                         "%s: no %s tensor \"%s\" of %lld numbers: not a checkpoint of "
                         "this model, or one with other --moments",
                         file->path, dtype_name(dtype), arrays[number].name,
                         (long long)count);
    const size_t each = dtype_bytes(dtype);
    unsigned char *device = adamw_array_data(moment_of(adamw, number), array);
    enum status status = STATUS_OK;
    for (int64_t unit = 0; !status && unit < adamw->sharding.unit_count; unit++) {
        const struct held_run run = adamw_array_run(adamw, array, unit);
        const size_t bytes = (size_t)run.count * each;
        void *host = memory_allocate(bytes);
        memcpy(host, (const unsigned char *)entry->data + (size_t)run.first * each, bytes);
        backend_copy_in(adamw->backend, device + (size_t)run.place * each, host, bytes);
        status = backend_sync(adamw->backend, error);
        free(host);
    }
    return status;
}

static enum status moments_read(const struct safetensors *file, struct adamw *adamw,
                                struct error *error)
{
    for (int i = 0; i < ARRAYS; i++)
        if (adamw_array_count(adamw, array_of(i)) > 0 && array_read(file, adamw, i, error))
            return error->status;
    return STATUS_OK;
}

enum status checkpoint_read(const char *path, const struct checkpoint_place *place,
                            struct adamw *adamw, struct error *error)
{
    struct safetensors file = {0};
    char *state_path = path_join(path, "state.json");
    char *moments_path = path_join(path, "optimizer.safetensors");
    enum status status = state_read(state_path, place, &adamw->step, error);
    if (!status)
        status = safetensors_open(&file, moments_path, error);
    if (!status)
        status = moments_read(&file, adamw, error);
    safetensors_close(&file);
    free(state_path);
    free(moments_path);
    return status;
}
