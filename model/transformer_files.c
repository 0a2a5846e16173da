#include "backend/nf4.h"
#include "base/file.h"
#include "base/memory.h"
#include "checkpoints/model_directory.h"
#include "model/parameter_names.h"
#include "model/sharded.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char tied_head[] = "lm_head.weight";

static void shape_text(char *text, size_t bytes, const int64_t *shape, int rank)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < rank && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%lld", i ? ", " : "",
                                 (long long)shape[i]);
}

static enum status check_shape(const struct parameter *parameter,
                               const struct safetensors_entry *entry, const char *path,
                               struct error *error)
{
    int64_t shape[2];
    parameter_file_shape(parameter, shape);
    bool equal = entry->rank == parameter->rank;
    for (int i = 0; equal && i < parameter->rank; i++)
        equal = entry->shape[i] == shape[i];
    if (equal)
        return STATUS_OK;
    char found[128], wanted[128];
    shape_text(found, sizeof found, entry->shape, entry->rank);
    shape_text(wanted, sizeof wanted, shape, parameter->rank);
    return error_set(error, STATUS_FORMAT,
                     "%s: tensor '%s' has the shape [%s], but config.json asks for [%s]: "
                     "take both files from the same model",
                     path, entry->name, found, wanted);
}

static enum status check_dtype(const struct safetensors_entry *entry, const char *path,
                               struct error *error)
{
    if (entry->dtype == DTYPE_F32 || entry->dtype == DTYPE_BF16 ||
        entry->dtype == DTYPE_F16)
        return STATUS_OK;
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: tensor '%s' is stored as %s: convert the model to F32, BF16 or "
                     "F16 first",
                     path, entry->name, dtype_name(entry->dtype));
}

/* Elements [first, first + count) of an entry, as an entry. */
static struct safetensors_entry entry_slice(const struct safetensors_entry *entry,
                                            int64_t first, int64_t count)
{
    struct safetensors_entry slice = *entry;
    const size_t each = dtype_bytes(entry->dtype);
    slice.data = (const unsigned char *)entry->data + (size_t)first * each;
    slice.rank = 1;
    slice.shape[0] = count;
    slice.count = count;
    slice.bytes = (size_t)count * each;
    return slice;
}

static int64_t first_not_finite(const float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            return i;
    }
    return -1;
}

/* The same for bf16 bits: an exponent of ones is infinity or NaN. */
static bool has_not_finite(const uint16_t *bits, int64_t count)
{
    unsigned found = 0;
    for (int64_t i = 0; i < count; i++)
        found |= (bits[i] & 0x7F80U) == 0x7F80U;
    return found != 0;
}

enum { PIECE = 1 << 18 };

/* bf16 weights in a bf16 file go over as they are; their remainders are zero already. */
static bool copy_halves(struct transformer *model, const struct parameter *parameter,
                        int64_t first, const struct safetensors_entry *slice)
{
    const void *data = slice->data;
    const bool aligned = (uintptr_t)data % sizeof(uint16_t) == 0;
    if (parameter->quantized >= 0 || parameter->transposed ||
        model->base.dtype != DTYPE_BF16 || slice->dtype != DTYPE_BF16 || !aligned ||
        has_not_finite(data, slice->count))
        return false;
    parameter_block_put_halves(&model->base, parameter->offset + first, data, slice->count);
    return true;
}

static enum status check_finite(const float *values, int64_t first, int64_t count,
                                const struct safetensors_entry *entry, const char *path,
                                struct error *error)
{
    const int64_t bad = first_not_finite(values, count);
    if (bad < 0)
        return STATUS_OK;
    return error_set(error, STATUS_FORMAT,
                     "%s: tensor '%s': element %lld is %f: the weights are broken, "
                     "or training diverged before they were saved",
                     path, entry->name, (long long)first + (long long)bad,
                     (double)values[bad]);
}

/* So many rows of a matrix end where a block of NF4 does, whatever their length. */
enum { ROWS = NF4_BLOCK };

/* Rows [first, first + count) of a matrix [M, K] that files have as [K, M], into `rows`;
 * `column` has room for `count`. */
static enum status read_transposed(const struct parameter *parameter, int64_t first,
                                   int64_t count, const struct safetensors_entry *entry,
                                   float *rows, float *column, const char *path,
                                   struct error *error)
{
    const int64_t all = parameter->shape[0], width = parameter->shape[1];
    for (int64_t k = 0; k < width; k++) {
        const int64_t at = k * all + first;
        const struct safetensors_entry slice = entry_slice(entry, at, count);
        safetensors_copy(&slice, column, DTYPE_F32);
        if (check_finite(column, at, count, entry, path, error))
            return error->status;
        for (int64_t i = 0; i < count; i++)
            rows[i * width + k] = column[i];
    }
    return STATUS_OK;
}

/* A matrix that files have the other way round. */
static enum status copy_transposed(struct transformer *model,
                                   const struct parameter *parameter,
                                   const struct safetensors_entry *entry, const char *path,
                                   struct error *error)
{
    const int64_t all = parameter->shape[0], width = parameter->shape[1];
    const int64_t fitting = PIECE / width / ROWS * ROWS;
    const int64_t together = fitting > 0 ? fitting : ROWS;
    float *rows = memory_allocate_array((size_t)(together * width), sizeof *rows);
    float *column = memory_allocate_array((size_t)together, sizeof *column);
    enum status status = STATUS_OK;
    for (int64_t first = 0; first < all && !status; first += together) {
        const int64_t count = all - first < together ? all - first : together;
        status = read_transposed(parameter, first, count, entry, rows, column, path, error);
        if (!status)
            transformer_put(model, parameter, first * width, rows, count * width);
    }
    file_map_forget(&entry->map, entry->data, entry->bytes);
    free(column);
    free(rows);
    return status;
}

/* Copies an entry into the weights by pieces, so that host memory stays small. */
static enum status copy_entry(struct transformer *model, const struct parameter *parameter,
                              const struct safetensors_entry *entry, const char *path,
                              float *piece, struct error *error)
{
    if (parameter->transposed)
        return copy_transposed(model, parameter, entry, path, error);
    for (int64_t first = 0; first < parameter->count; first += PIECE) {
        const int64_t left = parameter->count - first;
        const int64_t count = left < PIECE ? left : PIECE;
        const struct safetensors_entry slice = entry_slice(entry, first, count);
        const bool copied = copy_halves(model, parameter, first, &slice);
        if (!copied)
            safetensors_copy(&slice, piece, DTYPE_F32);
        file_map_forget(&entry->map, slice.data, slice.bytes);
        if (copied)
            continue;
        if (check_finite(piece, first, count, entry, path, error))
            return error->status;
        transformer_put(model, parameter, first, piece, count);
    }
    return STATUS_OK;
}

/* The entry of that name, which may lack the family's prefix where files do. */
static const struct safetensors_entry *entry_of(const struct transformer *model,
                                                const struct weight_files *files,
                                                const char *name, const char **path)
{
    const struct parameter_names *names = parameter_names_of(&model->architecture);
    const struct safetensors_entry *entry = weight_files_find(files, name, path);
    if (!entry && names->prefix_optional && text_starts_with(name, names->prefix))
        entry = weight_files_find(files, name + strlen(names->prefix), path);
    for (int i = 0; !entry && model->architecture.text_part && i < WHOLE_SPELLINGS; i++) {
        char *whole = name_in_whole(name, (enum whole_spelling)i);
        entry = weight_files_find(files, whole, path);
        free(whole);
    }
    return entry;
}

static enum status missing_tensor(const char *name, const char *directory,
                                  struct error *error)
{
    const char *remedy = "the files are incomplete, or config.json is of another model";
    if (strcmp(name, tied_head) == 0)
        remedy = "if the model shares its embedding, set \"tie_word_embeddings\": true in "
                 "config.json";
    return error_set(error, STATUS_FORMAT, "%s: tensor '%s' is missing: %s", directory,
                     name, remedy);
}

static enum status check_parameter(const struct transformer *model,
                                   const struct weight_files *files,
                                   const struct parameter *parameter, const char *directory,
                                   struct error *error)
{
    const char *path = directory;
    const struct safetensors_entry *entry = entry_of(model, files, parameter->name, &path);
    if (!entry)
        return missing_tensor(parameter->name, directory, error);
    const enum status status = check_shape(parameter, entry, path, error);
    return status ? status : check_dtype(entry, path, error);
}

static enum status load_parameter(struct transformer *model,
                                  const struct weight_files *files,
                                  const struct parameter *parameter, const char *directory,
                                  float *piece, struct error *error)
{
    const char *path = directory;
    const struct safetensors_entry *entry = entry_of(model, files, parameter->name, &path);
    CHECK(entry); /* weights_check() */
    return copy_entry(model, parameter, entry, path, piece, error);
}

static enum status load_parameters(struct transformer *model,
                                   const struct weight_files *files, const char *directory,
                                   struct error *error)
{
    float *piece = memory_allocate_array(PIECE, sizeof *piece);
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < model->base.entry_count; i++)
        status =
            load_parameter(model, files, &model->base.entries[i], directory, piece, error);
    free(piece);
    return status;
}

/* Read by pieces, which are let go. */
static bool same_data(const struct safetensors_entry *a, const struct safetensors_entry *b)
{
    bool same = true;
    for (int64_t first = 0; same && first < a->count; first += PIECE) {
        const int64_t left = a->count - first;
        const struct safetensors_entry x = entry_slice(a, first,
                                                       left < PIECE ? left : PIECE),
                                       y = entry_slice(b, first,
                                                       left < PIECE ? left : PIECE);
        same = memcmp(x.data, y.data, x.bytes) == 0;
        file_map_forget(&a->map, x.data, x.bytes);
        file_map_forget(&b->map, y.data, y.bytes);
    }
    return same;
}

/* A tied file may carry the head all the same, if it is the embedding. */
static enum status check_tied_head(const struct transformer *model,
                                   const struct weight_files *files,
                                   const struct safetensors_entry *head, const char *path,
                                   struct error *error)
{
    const char *embedding_name = model->base.entries[0].name;
    const struct safetensors_entry *embedding =
        entry_of(model, files, embedding_name, NULL);
    if (embedding && embedding->dtype == head->dtype && embedding->bytes == head->bytes &&
        same_data(embedding, head))
        return STATUS_OK;
    return error_set(error, STATUS_FORMAT,
                     "%s: '%s' differs from '%s', although config.json says "
                     "\"tie_word_embeddings\": true: set it to false if the head is meant",
                     path, head->name, embedding_name);
}

static bool is_parameter(const struct transformer *model, const char *name)
{
    for (size_t i = 0; i < model->base.entry_count; i++) {
        if (strcmp(model->base.entries[i].name, name) == 0)
            return true;
    }
    return false;
}

/* check_heads() */
static bool is_tied_head(const struct transformer *model, const char *name)
{
    return model->architecture.tied_embeddings && strcmp(name, tied_head) == 0;
}

/* Of a model of images too: its text part's, or of another part. */
static bool is_of_whole(const struct transformer *model, const char *name)
{
    char *text = model->architecture.text_part ? name_in_text(name) : NULL;
    const bool found = text && (is_parameter(model, text) || is_tied_head(model, text));
    free(text);
    return found || (model->architecture.text_part && name_of_images(name));
}

/* Saved without a head, as LlamaModel, the names lack their first part. */
static bool lacks_prefix(const struct transformer *model, const char *name)
{
    const char *prefix = parameter_names_of(&model->architecture)->prefix;
    const size_t length = strlen(prefix);
    for (size_t i = 0; i < model->base.entry_count; i++) {
        const char *parameter = model->base.entries[i].name;
        if (text_starts_with(parameter, prefix) && strcmp(parameter + length, name) == 0)
            return true;
    }
    return false;
}

/* Tables that older files carry and that follow from config.json: rotary frequencies, and
 * GPT-2's causal masks. */
static bool is_table(const struct transformer *model, const char *name)
{
    return text_ends_with(name, ".rotary_emb.inv_freq") ||
           (model->architecture.learned_positions &&
            (text_ends_with(name, ".attn.bias") ||
             text_ends_with(name, ".attn.masked_bias")));
}

/* A tensor that is not ours would change the result if it were read: refuse it. */
static enum status check_entry(const struct transformer *model,
                               const struct safetensors *file,
                               const struct safetensors_entry *entry, struct error *error)
{
    const struct parameter_names *names = parameter_names_of(&model->architecture);
    if (is_parameter(model, entry->name) || is_table(model, entry->name) ||
        is_of_whole(model, entry->name) || is_tied_head(model, entry->name))
        return STATUS_OK;
    if (lacks_prefix(model, entry->name) && names->prefix_optional)
        return STATUS_OK;
    if (lacks_prefix(model, entry->name))
        return error_set(error, STATUS_FORMAT,
                         "%s: tensor '%s' should be '%s%s': save the model as "
                         "%s",
                         file->path, entry->name, names->prefix, entry->name,
                         architecture_class_name(&model->architecture));
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: tensor '%s' is not part of a %s of %lld layers with the biases "
                     "that config.json gives it: the files are of another model",
                     file->path, entry->name, architecture_class_name(&model->architecture),
                     (long long)model->architecture.layer_count);
}

/* The name of ours for what files call `name` (heap); NULL: it is that already. */
static char *own_name(const struct transformer *model, const char *name)
{
    const struct parameter_names *names = parameter_names_of(&model->architecture);
    struct text_buffer own = {0};
    if (model->architecture.text_part)
        return name_in_text(name);
    if (!names->prefix_optional || text_starts_with(name, names->prefix))
        return NULL;
    text_buffer_appendf(&own, "%s%s", names->prefix, name);
    return text_buffer_detach(&own);
}

/* A tensor that files hold by two names could be read by either. */
static enum status check_once(const struct transformer *model,
                              const struct weight_files *files,
                              const struct safetensors *file,
                              const struct safetensors_entry *entry, struct error *error)
{
    char *own = own_name(model, entry->name);
    const struct safetensors_entry *taken =
        own && is_parameter(model, own) ? entry_of(model, files, own, NULL) : entry;
    free(own);
    if (taken == entry)
        return STATUS_OK;
    return error_set(error, STATUS_FORMAT,
                     "%s: '%s' and '%s' are the same tensor of this model: take one out",
                     file->path, entry->name, taken->name);
}

static enum status check_entries(const struct transformer *model,
                                 const struct weight_files *files, struct error *error)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct safetensors *file = &files->files[i];
        for (size_t j = 0; j < file->entry_count; j++) {
            const struct safetensors_entry *entry = &file->entries[j];
            enum status status = check_entry(model, file, entry, error);
            if (!status)
                status = check_once(model, files, file, entry, error);
            if (status)
                return status;
        }
    }
    return STATUS_OK;
}

enum status weights_check(const struct transformer *model, const struct weight_files *files,
                          const char *directory, struct error *error)
{
    enum status status = check_entries(model, files, error);
    for (size_t i = 0; !status && i < model->base.entry_count; i++)
        status = check_parameter(model, files, &model->base.entries[i], directory, error);
    return status;
}

static enum status check_heads(const struct transformer *model,
                               const struct weight_files *files,
                               const struct safetensors *file, struct error *error)
{
    const struct safetensors_entry *head = safetensors_find(file, tied_head);
    if (!model->architecture.tied_embeddings)
        return STATUS_OK;
    if (!head && model->architecture.text_part) {
        char *whole = name_in_whole(tied_head, WHOLE_MODEL);
        head = safetensors_find(file, whole);
        free(whole);
    }
    return head ? check_tied_head(model, files, head, file->path, error) : STATUS_OK;
}

static enum status load_weights(struct transformer *model, const char *directory,
                                struct error *error)
{
    struct weight_files files = {0};
    enum status status = weight_files_open(&files, directory, error);
    if (!status)
        status = weights_check(model, &files, directory, error);
    for (size_t i = 0; i < files.count && !status; i++)
        status = check_heads(model, &files, &files.files[i], error);
    if (!status)
        status = load_parameters(model, &files, directory, error);
    if (!status)
        status = backend_sync(model->backend, error);
    weight_files_close(&files);
    return status;
}

static enum status open_weights(struct transformer **model, struct backend *backend,
                                struct collectives *collectives, const char *directory,
                                enum master_weights masters, struct error *error)
{
    struct architecture architecture;
    enum status status = architecture_open_directory(&architecture, directory, error);
    if (!status)
        status =
            transformer_plan(model, backend, collectives, &architecture, masters, error);
    if (!status)
        status = load_weights(*model, directory, error);
    return status;
}

enum status transformer_open_directory(struct transformer **model, struct backend *backend,
                                       const char *directory, enum master_weights masters,
                                       struct error *error)
{
    return transformer_open_directory_sharded(model, backend, NULL, directory, masters,
                                              error);
}

enum status
transformer_open_directory_sharded(struct transformer **model, struct backend *backend,
                                   struct collectives *collectives, const char *directory,
                                   enum master_weights masters, struct error *error)
{
    char *base = NULL;
    *model = NULL;
    enum status status = model_directory_base(&base, directory, error);
    if (!status && base)
        status = open_weights(model, backend, collectives, base,
                              masters == MASTERS_KEPT ? MASTERS_DROPPED : masters, error);
    else if (!status)
        status = open_weights(model, backend, collectives, directory, masters, error);
    if (!status && base)
        status = transformer_open_adapter(*model, directory, masters, error);
    if (status) {
        transformer_free(*model);
        *model = NULL;
    }
    free(base);
    return status;
}

enum { FILE_BYTES = 2000000000 };

/* All weights in host memory, as files order them: where they are if that is f32 host
 * memory in that order, else a copy. */
static enum status weights_on_host(const struct transformer *model, const float **host,
                                   float **copy, struct error *error)
{
    CHECK(!model->quantized && !model->arranged);
    *host = model->base.weights;
    if (backend_on_host(model->backend) && model->base.dtype == DTYPE_F32 &&
        !model->architecture.transposed)
        return STATUS_OK;
    *host = *copy = memory_allocate_array((size_t)model->base.count, sizeof **copy);
    const enum status status = parameter_block_get(&model->base, *copy, error);
    parameter_block_to_file(&model->base, *copy);
    return status;
}

/* All parameters from `host`, each at its offset, as files order it. */
static enum status write_all(const struct transformer *model, const float *host,
                             const char *directory, enum dtype stored, struct error *error)
{
    const struct parameter_block *base = &model->base;
    struct safetensors_tensor *tensors =
        memory_allocate_array(base->entry_count, sizeof *tensors);
    for (size_t i = 0; i < base->entry_count; i++) {
        const struct parameter *parameter = &base->entries[i];
        tensors[i] = (struct safetensors_tensor){
            .name = parameter->name,
            .data = host + parameter->offset,
            .dtype = DTYPE_F32,
            .stored = stored,
            .rank = parameter->rank,
        };
        parameter_file_shape(parameter, tensors[i].shape);
    }
    const enum status status =
        weight_files_write(directory, tensors, base->entry_count, FILE_BYTES, error);
    free(tensors);
    return status;
}

enum status transformer_write_weights(const struct transformer *model,
                                      const char *directory, enum dtype stored,
                                      struct error *error)
{
    float *copy = NULL;
    const float *host = NULL;
    if (model->sharded)
        return sharded_write(model, directory, stored, FILE_BYTES, error);
    enum status status = weights_on_host(model, &host, &copy, error);
    if (!status)
        status = write_all(model, host, directory, stored, error);
    free(copy);
    return status;
}

enum status transformer_write_merged(const struct transformer *model, const char *directory,
                                     enum dtype stored, struct error *error)
{
    CHECK(!model->quantized && !model->arranged);
    float *merged = memory_allocate_array((size_t)model->base.count, sizeof *merged);
    enum status status = parameter_block_get(&model->base, merged, error);
    if (!status && model->adapters)
        status = adapters_merge(model->adapters, &model->base, merged, error);
    if (!status) {
        parameter_block_to_file(&model->base, merged);
        status = write_all(model, merged, directory, stored, error);
    }
    free(merged);
    return status;
}
