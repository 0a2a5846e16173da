#include "data_gen/leak_words.h"

/*
 * Every stem that at least 0.75% of requests for programs have: the mean of its shares of
 * two public lists (GPTeacher's code instructions, 2,268 rows, and Code Alpaca's 2,000,
 * 1,009 rows; every second row, instruction and input), counted by this module, each stem
 * as its most frequent word. The other rows are for checking (docs/audit.md).
 */
const char *const leak_common_words =
    "accepts add address algorithm alice alphabetically api apple area args argument "
    "arr array ascending average banana based bash binary bob brown built calculates "
    "called case characters check circle city class code color column com command "
    "compute console construct containing content convert correct count cout css csv "
    "customers data date def delete determine dictionary digits directory display "
    "divisor documents doe dog duplicates edit elements else email employees endl "
    "equal equivalent error even example expression factorial false fetch fibonacci "
    "field file filename first fix following format fox function greater hello home "
    "html https id identify implement include index input int integers iostream item "
    "java javascript john js json jumps key largest last lazy length letter library "
    "line log longest loop main maximum modify my_list mysql name named namespace "
    "negative new node non nth num number object occurrences odd output page "
    "palindrome path php positive prime print println product program public python "
    "query quick radius random range reads receives rectangle recursion remove "
    "representing request result retrieve returns reverse rewrite rows salary sample "
    "script search select sentence sequence set shell simple size snippet specified "
    "sql square static std store string structure sum syntax system table test text "
    "three total translate tree true two txt unique url user value vector void vowels "
    "web word world";
