#ifndef HOLDFAST_TEXT_TEXT_PLACE_H
#define HOLDFAST_TEXT_TEXT_PLACE_H

/*
 * Where a stretch of text that is encoded stands: it begins what the user wrote, follows an
 * added token, or goes on in the middle of other text. Only the first two may get the
 * space that SentencePiece-type tokenizers put in front, some only the first.
 */
enum text_place { TEXT_FIRST, TEXT_AFTER_TOKEN, TEXT_INSIDE };

#endif
