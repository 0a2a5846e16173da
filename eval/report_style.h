#ifndef HOLDFAST_EVAL_REPORT_STYLE_H
#define HOLDFAST_EVAL_REPORT_STYLE_H

/*
 * The page's style sheet and script, in pieces (C11 compilers need not take literals of
 * more than 4,095 bytes), NULL at the end. Neither holds a closing tag or a '\r', so that
 * they stand in <style> and <script> as they are and the hashes of the page's
 * Content-Security-Policy are those of the joined pieces.
 */
extern const char *const report_style[];
extern const char *const report_script[];

#endif
