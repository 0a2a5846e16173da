#include "text/sentencepiece_model.h"

#include "base/memory.h"
#include "text/decoder.h"
#include "text/protobuf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct wire_reader reader_of(const struct wire_field *field)
{
    return (struct wire_reader){.data = field->data, .bytes = field->bytes};
}

static enum status read_string(const struct wire_field *field, char **out, const char *what,
                               struct error *error)
{
    const char *text = (const char *)field->data;
    if (field->type != WIRE_BYTES || memchr(text, '\0', field->bytes) ||
        !utf8_is_valid(text, field->bytes))
        return error_set(error, STATUS_FORMAT, "%s is not UTF-8, or holds a NUL", what);
    free(*out);
    *out = memory_duplicate_bytes(text, field->bytes);
    return STATUS_OK;
}

static float float_of_bits(uint64_t value)
{
    const uint32_t bits = (uint32_t)value;
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static enum status read_piece_fields(struct piece *piece, const struct wire_field *message,
                                     struct error *error)
{
    struct wire_reader reader = reader_of(message);
    struct wire_field field;
    while (wire_next(&reader, &field, error)) {
        if (field.number == 1 && read_string(&field, &piece->text, "its text", error))
            return error->status;
        if (field.number == 2 && field.type == WIRE_FIXED32)
            piece->score = float_of_bits(field.value);
        if (field.number == 3 && field.type == WIRE_VARINT)
            piece->type = (enum piece_type)(field.value <= PIECE_BYTE ? field.value : 0);
    }
    return reader.failed ? error->status : STATUS_OK;
}

static enum status check_piece(const struct piece *piece, struct error *error)
{
    if (!piece->text || !piece->text[0])
        return error_set(error, STATUS_FORMAT, "it has no text");
    if (!isfinite(piece->score))
        return error_set(error, STATUS_FORMAT, "\"%s\": its score is no number",
                         piece->text);
    if (piece->type < PIECE_NORMAL || piece->type > PIECE_BYTE)
        return error_set(error, STATUS_FORMAT, "\"%s\": its type is not known",
                         piece->text);
    if (piece->type == PIECE_UNUSED)
        return error_set(error, STATUS_UNSUPPORTED,
                         "\"%s\": unused pieces are not supported", piece->text);
    if (piece->type == PIECE_BYTE && byte_token_value(piece->text, piece->bytes) < 0)
        return error_set(error, STATUS_FORMAT, "\"%s\": a byte is spelled <0x0A>",
                         piece->text);
    return STATUS_OK;
}

static enum status read_piece(struct sentencepiece_model *model,
                              const struct wire_field *message, struct error *error)
{
    array_reserve(model->pieces, model->capacity, model->count + 1);
    struct piece *piece = &model->pieces[model->count++];
    *piece = (struct piece){.type = PIECE_NORMAL};
    if (read_piece_fields(piece, message, error))
        return error_prefix(error, "pieces[%zu]", model->count - 1);
    piece->bytes = piece->text ? strlen(piece->text) : 0;
    if (check_piece(piece, error))
        return error_prefix(error, "pieces[%zu]", model->count - 1);
    return STATUS_OK;
}

static enum status read_trainer(struct sentencepiece_model *model,
                                const struct wire_field *message, struct error *error)
{
    struct wire_reader reader = reader_of(message);
    struct wire_field field;
    enum status status = STATUS_OK;
    while (!status && wire_next(&reader, &field, error)) {
        if (field.number == 3)
            model->type = (enum sentencepiece_type)(field.value & 0xFF);
        else if (field.number == 24)
            model->rules.treat_whitespace_as_suffix = field.value != 0;
        else if (field.number == 35)
            model->byte_fallback = field.value != 0;
        else if (field.number == 44)
            status = read_string(&field, &model->unknown_surface, "unk_surface", error);
        else if (field.number == 46)
            status = read_string(&field, &model->bos_piece, "bos_piece", error);
        else if (field.number == 47)
            status = read_string(&field, &model->eos_piece, "eos_piece", error);
    }
    if (status || reader.failed)
        return error_prefix(error, "trainer_spec");
    return STATUS_OK;
}

static enum status read_normalizer(struct sentencepiece_model *model,
                                   const struct wire_field *message, struct error *error)
{
    struct wire_reader reader = reader_of(message);
    struct wire_field field;
    while (wire_next(&reader, &field, error)) {
        if (field.number == 2 && field.type == WIRE_BYTES) {
            model->charsmap = field.data;
            model->charsmap_bytes = field.bytes;
        } else if (field.number == 3) {
            model->rules.add_dummy_prefix = field.value != 0;
        } else if (field.number == 4) {
            model->rules.remove_extra_whitespaces = field.value != 0;
        } else if (field.number == 5) {
            model->rules.escape_whitespaces = field.value != 0;
        }
    }
    return reader.failed ? error_prefix(error, "normalizer_spec") : STATUS_OK;
}

static enum status refuse_denormalizer(const struct wire_field *message,
                                       struct error *error)
{
    struct wire_reader reader = reader_of(message);
    struct wire_field field;
    while (wire_next(&reader, &field, error))
        if (field.number == 2 && field.bytes > 0)
            return error_set(error, STATUS_UNSUPPORTED,
                             "denormalizer_spec: rules for decoding are not supported");
    return reader.failed ? error_prefix(error, "denormalizer_spec") : STATUS_OK;
}

static enum status read_part(struct sentencepiece_model *model,
                             const struct wire_field *field, struct error *error)
{
    if (field->type != WIRE_BYTES)
        return field->number <= 5
                   ? error_set(error, STATUS_FORMAT, "byte %zu: field %d is no message",
                               field->offset, (int)field->number)
                   : STATUS_OK;
    switch (field->number) {
    case 1:
        return read_piece(model, field, error);
    case 2:
        return read_trainer(model, field, error);
    case 3:
        return read_normalizer(model, field, error);
    case 5:
        return refuse_denormalizer(field, error);
    default:
        return STATUS_OK;
    }
}

static enum status check_model(const struct sentencepiece_model *model, struct error *error)
{
    static const char *const names[] = {"0", "UNIGRAM", "BPE", "WORD", "CHAR"};
    size_t unknown = 0;
    if (model->count == 0)
        return error_set(error, STATUS_FORMAT, "pieces: holds none");
    for (size_t i = 0; i < model->count; i++)
        unknown += model->pieces[i].type == PIECE_UNKNOWN;
    if (unknown != 1)
        return error_set(error, STATUS_FORMAT,
                         "pieces: %zu stand for the unknown, expected one", unknown);
    if (model->type == SENTENCEPIECE_UNIGRAM || model->type == SENTENCEPIECE_BPE)
        return STATUS_OK;
    return error_set(error, STATUS_UNSUPPORTED,
                     "trainer_spec.model_type: %s is not supported (UNIGRAM, BPE)",
                     model->type < sizeof names / sizeof *names ? names[model->type] : "?");
}

enum status sentencepiece_model_parse(struct sentencepiece_model *model, const void *data,
                                      size_t bytes, struct error *error)
{
    struct wire_reader reader = {.data = data, .bytes = bytes};
    struct wire_field field;
    *model = (struct sentencepiece_model){.type = SENTENCEPIECE_UNIGRAM};
    model->rules = (struct sentencepiece_rules){.add_dummy_prefix = true,
                                                .remove_extra_whitespaces = true,
                                                .escape_whitespaces = true};
    model->unknown_surface = memory_duplicate_string(" \xE2\x81\x87 ");
    model->bos_piece = memory_duplicate_string("<s>");
    model->eos_piece = memory_duplicate_string("</s>");
    while (wire_next(&reader, &field, error))
        if (read_part(model, &field, error))
            return error->status;
    return reader.failed ? error->status : check_model(model, error);
}

void sentencepiece_model_release(struct sentencepiece_model *model)
{
    for (size_t i = 0; i < model->count; i++)
        free(model->pieces[i].text);
    free(model->pieces);
    free(model->unknown_surface);
    free(model->bos_piece);
    free(model->eos_piece);
    *model = (struct sentencepiece_model){0};
}
