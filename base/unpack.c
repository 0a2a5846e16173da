#define ZLIB_CONST /* next_in is not written to */

#include "base/unpack.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    PIECE_BYTES = 1 << 20,      /* handed to the sink at once, at most */
    INPUT_BYTES = 1 << 20,      /* handed to the library at once, at most */
    ZSTD_WINDOW_LOG_LIMIT = 27, /* 128 MB, what `zstd -d` takes by itself */
    GZIP_WINDOW_BITS = 15 + 16  /* the largest window, and a gzip header */
};

struct unpacking {
    const unsigned char *bytes;
    size_t count;
    const char *where;
    unpack_sink *sink;
    void *context;
    unsigned char *piece;
};

enum packing packing_of(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    if (count >= 2 && memcmp(at, "\x1F\x8B", 2) == 0)
        return PACKING_GZIP;
    if (count >= 4 && memcmp(at, "\x28\xB5\x2F\xFD", 4) == 0)
        return PACKING_ZSTD;
    if (count >= 4 && (at[0] & 0xF0) == 0x50 && memcmp(at + 1, "\x2A\x4D\x18", 3) == 0)
        return PACKING_ZSTD;
    return PACKING_NONE;
}

static enum status damaged(const struct unpacking *work, const char *kind, size_t at,
                           const char *problem, struct error *error)
{
    return error_set(error, STATUS_FORMAT,
                     "%s: byte %zu: the %s data are damaged (%s): fetch the file again",
                     work->where, at, kind, problem);
}

static enum status cut_off(const struct unpacking *work, const char *kind,
                           struct error *error)
{
    return error_set(error, STATUS_FORMAT,
                     "%s: byte %zu: the %s data end too early: was the file fetched whole?",
                     work->where, work->count, kind);
}

/* --- gzip --- */

static size_t gzip_offset(const struct unpacking *work, const z_stream *stream)
{
    return (size_t)(stream->next_in - work->bytes);
}

/* After a member: false at the end, or where only zeros follow, which tapes and some
 * servers add and gzip itself passes over; else the next member begins here. */
static bool gzip_next_member(const struct unpacking *work, z_stream *stream)
{
    size_t at = gzip_offset(work, stream);
    while (at < work->count && work->bytes[at] == 0)
        at++;
    if (at == work->count)
        return false;
    inflateReset(stream);
    return true;
}

/* One call of inflate() and of the sink; *done at the end of the last member. */
static enum status gzip_piece(const struct unpacking *work, z_stream *stream, bool *done,
                              struct error *error)
{
    const size_t left = work->count - gzip_offset(work, stream);
    stream->avail_in = (uInt)(left < INPUT_BYTES ? left : INPUT_BYTES);
    stream->next_out = work->piece;
    stream->avail_out = PIECE_BYTES;
    const int result = inflate(stream, Z_NO_FLUSH);
    const size_t made = PIECE_BYTES - stream->avail_out;
    if (result == Z_MEM_ERROR)
        return error_set(error, STATUS_MEMORY, "%s: no memory to unpack it", work->where);
    if (result == Z_BUF_ERROR || (result == Z_OK && made == 0 && left == 0))
        return cut_off(work, "gzip", error);
    if (result != Z_OK && result != Z_STREAM_END)
        return damaged(work, "gzip", gzip_offset(work, stream),
                       stream->msg ? stream->msg : zError(result), error);
    if (made &&
        work->sink(work->context, work->piece, made, gzip_offset(work, stream), error))
        return error->status;
    *done = result == Z_STREAM_END && !gzip_next_member(work, stream);
    return STATUS_OK;
}

static enum status gzip_unpack(const struct unpacking *work, struct error *error)
{
    z_stream stream = {.next_in = work->bytes};
    bool done = false;
    if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
        return error_set(error, STATUS_MEMORY, "%s: no memory to unpack it", work->where);
    enum status status = STATUS_OK;
    while (!status && !done)
        status = gzip_piece(work, &stream, &done, error);
    inflateEnd(&stream);
    return status;
}

/* --- zstd --- */

static enum status zstd_pieces(const struct unpacking *work, ZSTD_DStream *stream,
                               struct error *error)
{
    ZSTD_inBuffer in = {.src = work->bytes};
    for (;;) {
        const size_t left = work->count - in.pos;
        ZSTD_outBuffer out = {.dst = work->piece, .size = PIECE_BYTES};
        in.size = in.pos + (left < INPUT_BYTES ? left : INPUT_BYTES);
        /* 0 where a frame is complete and all of it is handed out */
        const size_t hint = ZSTD_decompressStream(stream, &out, &in);
        if (ZSTD_getErrorCode(hint) == ZSTD_error_frameParameter_windowTooLarge)
            return error_set(error, STATUS_UNSUPPORTED,
                             "%s: was packed with a window of more than 128 MB: unpack it "
                             "with `zstd -d --long=31`",
                             work->where);
        if (ZSTD_isError(hint))
            return damaged(work, "zstd", in.pos, ZSTD_getErrorName(hint), error);
        if (out.pos && work->sink(work->context, work->piece, out.pos, in.pos, error))
            return error->status;
        if (in.pos == work->count && hint == 0)
            return STATUS_OK;
        if (in.pos == work->count && out.pos < out.size)
            return cut_off(work, "zstd", error);
    }
}

static enum status zstd_unpack(const struct unpacking *work, struct error *error)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (!stream)
        return error_set(error, STATUS_MEMORY, "%s: no memory to unpack it", work->where);
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_LIMIT);
    enum status status = zstd_pieces(work, stream, error);
    ZSTD_freeDStream(stream);
    return status;
}

enum status unpack(const void *bytes, size_t count, const char *where, unpack_sink *sink,
                   void *context, struct error *error)
{
    const enum packing packing = packing_of(bytes, count);
    CHECK(packing != PACKING_NONE);
    const struct unpacking work = {.bytes = bytes,
                                   .count = count,
                                   .where = where,
                                   .sink = sink,
                                   .context = context,
                                   .piece = memory_allocate(PIECE_BYTES)};
    const enum status status =
        packing == PACKING_GZIP ? gzip_unpack(&work, error) : zstd_unpack(&work, error);
    free(work.piece);
    return status;
}

static enum status text_check(const unsigned char *bytes, size_t count, const char *where,
                              struct error *error)
{
    enum { LOOKED_AT_BYTES = 4096 };
    const unsigned char *nul =
        memchr(bytes, 0, count < LOOKED_AT_BYTES ? count : LOOKED_AT_BYTES);
    if (count >= 2 &&
        (memcmp(bytes, "\xFF\xFE", 2) == 0 || memcmp(bytes, "\xFE\xFF", 2) == 0))
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: this is UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`",
                         where);
    if (!nul)
        return STATUS_OK;
    return error_set(
        error, STATUS_FORMAT,
        "%s: this is no text: byte %zu is NUL; a list is CSV, JSON or JSONL in "
        "UTF-8, plain or packed with gzip or zstd, or Parquet",
        where, (size_t)(nul - bytes) + 1);
}

enum status bytes_check_readable(const void *bytes, size_t count, const char *where,
                                 struct error *error)
{
    static const struct {
        const char *magic;
        size_t bytes;
        const char *words;
    } kinds[] = {
        {"PAR1\x15", 5,
         "the beginning of a Parquet file without its end: was it fetched whole? (Packed "
         "with gzip or zstd it must be unpacked first.)"},
        {"ARROW1\0", 7,
         "an Arrow file: convert it to JSONL, e.g. with pandas' read_feather() and "
         "to_json(orient='records', lines=True)"},
        {"\xFD"
         "7zXZ",
         6, "xz-compressed: unpack it with `xz -d`"},
        {"BZh91AY&SY", 10, "bzip2-compressed: unpack it with `bzip2 -d`"},
        {"PK\x03\x04", 4, "a zip archive: unpack it with `unzip`"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (count >= kinds[i].bytes && memcmp(bytes, kinds[i].magic, kinds[i].bytes) == 0)
            return error_set(error, STATUS_UNSUPPORTED, "%s: this is %s", where,
                             kinds[i].words);
    return text_check(bytes, count, where, error);
}
