#include "text/tense_frames.h"

#include <string.h>

static const struct {
    const char *words[5];
    char number; /* p: plural, m: he, f: she */
} people[] = {
    {{"a", "young", "man"}, 'm'},
    {{"a", "young", "woman"}, 'f'},
    {{"two", "brothers"}, 'p'},
    {{"a", "man", "named", "Victor"}, 'm'},
    {{"a", "woman", "named", "Irene"}, 'f'},
    {{"two", "old", "friends"}, 'p'},
    {{"a", "quiet", "neighbor"}, 'm'},
    {{"three", "sisters"}, 'p'},
    {{"an", "elderly", "man"}, 'm'},
    {{"a", "traveling", "saleswoman"}, 'f'},
    {{"a", "few", "strangers"}, 'p'},
    {{"a", "newcomer"}, 'f'},
};
enum { PEOPLE = sizeof people / sizeof people[0] };

static struct phrase person(size_t index)
{
    struct phrase phrase = {.count = 0};
    for (int i = 0; i < 5 && people[index].words[i]; i++)
        phrase_add_text(&phrase, people[index].words[i]);
    return phrase;
}

struct narrated narrated_choose(const struct request *request, const struct phrase *action,
                                uint64_t choice)
{
    struct narrated told = {.he = "they", .him = "them", .his = "their", .plural = true};
    if (request->subject.count > 0) {
        told.phrase = request->subject;
        told.plural = noun_phrase_is_plural(&request->subject, 0, request->subject.count);
        return told;
    }
    const bool they = phrase_has(action, " they them their theirs themselves ");
    size_t index = (size_t)(choice % PEOPLE);
    while (they && people[index].number != 'p')
        index = (index + 1) % PEOPLE;
    told.phrase = person(index);
    if (people[index].number == 'p')
        return told;
    const bool man = people[index].number == 'm';
    return (struct narrated){.phrase = told.phrase,
                             .he = man ? "he" : "she",
                             .him = man ? "him" : "her",
                             .his = man ? "his" : "her"};
}

const char *narrated_word(const struct narrated *narrated, const char *slot)
{
    if (!strcmp(slot, "he"))
        return narrated->he;
    if (!strcmp(slot, "him"))
        return narrated->him;
    if (!strcmp(slot, "his"))
        return narrated->his;
    return !strcmp(slot, "wasA") ? narrated->plural ? "were" : "was" : NULL;
}
