/* Decoding as SentencePieceProcessor::Decode does. */
#include "text/sentencepiece_model.h"
#include "text/tokenizer_internal.h"

#include <string.h>

static const char meta_space[] = "\xE2\x96\x81"; /* U+2581 */
enum { META_SPACE_BYTES = 3 };

struct piece_decoding {
    const struct tokenizer *tokenizer;
    struct text_buffer *text;
    size_t start;           /* of what is decoded, in `text` */
    struct text_buffer run; /* of byte pieces */
    bool expects_first;     /* the next white space may be the dummy prefix */
    bool first_space_seen;
};

/* A character at a time; a byte that starts none is U+FFFD. */
static void end_run(struct piece_decoding *decoding)
{
    const char *bytes = text_buffer_string(&decoding->run);
    const size_t count = decoding->run.length;
    for (size_t i = 0; i < count;) {
        uint32_t code_point;
        size_t taken = utf8_decode(bytes + i, count - i, &code_point);
        if (utf8_is_valid(bytes + i, taken)) {
            text_buffer_append_bytes(decoding->text, bytes + i, taken);
        } else {
            utf8_append(decoding->text, UNICODE_REPLACEMENT);
            taken = 1;
        }
        i += taken;
    }
    text_buffer_clear(&decoding->run);
}

static void append_spaced(struct text_buffer *text, const char *piece)
{
    const char *space;
    while ((space = strstr(piece, meta_space)) != NULL) {
        text_buffer_append_bytes(text, piece, (size_t)(space - piece));
        text_buffer_append_char(text, ' ');
        piece = space + META_SPACE_BYTES;
    }
    text_buffer_append(text, piece);
}

static void append_piece(struct piece_decoding *decoding, const char *piece)
{
    const struct tokenizer *tokenizer = decoding->tokenizer;
    const bool drops = tokenizer->drops_first_space || tokenizer->drops_all_space;
    if (decoding->expects_first && drops && text_starts_with(piece, meta_space)) {
        piece += META_SPACE_BYTES;
        decoding->first_space_seen = !tokenizer->drops_all_space;
    }
    append_spaced(decoding->text, piece);
}

static void decode_piece(struct piece_decoding *decoding, int32_t id)
{
    const struct tokenizer *tokenizer = decoding->tokenizer;
    const char *spelling = tokenizer->vocabulary.tokens[id].spelling;
    const int type =
        (size_t)id < tokenizer->piece_count ? tokenizer->piece_types[id] : PIECE_CONTROL;
    if (type == PIECE_BYTE) {
        const int byte = byte_token_value(spelling, strlen(spelling));
        text_buffer_append_char(&decoding->run, (char)(unsigned char)byte);
        return;
    }
    end_run(decoding);
    if (decoding->first_space_seen || decoding->text->length > decoding->start)
        decoding->expects_first = false;
    decoding->first_space_seen = false;
    if (type == PIECE_CONTROL)
        text_buffer_append(decoding->text, spelling);
    else if (type == PIECE_UNKNOWN)
        text_buffer_append(decoding->text, tokenizer->unknown_surface);
    else
        append_piece(decoding, spelling);
}

void tokenizer_decode_pieces(const struct tokenizer *tokenizer, const int32_t *ids,
                             size_t count, bool keep_special, struct text_buffer *text)
{
    struct piece_decoding decoding = {
        .tokenizer = tokenizer, .text = text, .start = text->length, .expects_first = true};
    for (size_t i = 0; i < count; i++) {
        CHECK(ids[i] >= 0 && (size_t)ids[i] < tokenizer->vocabulary.count);
        if (keep_special || !tokenizer->vocabulary.tokens[ids[i]].special)
            decode_piece(&decoding, ids[i]);
    }
    end_run(&decoding);
    text_buffer_release(&decoding.run);
}
