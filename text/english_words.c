#include "text/english.h"

#include <string.h>

/* Closed classes as " lists like this ", for word_among(). */
static const char determiners[] =
    " a an the this these those my your his her its our their some any each every no all "
    "another other both either neither several many much few most more less enough one two "
    "three four five six seven eight nine ten dozens hundreds what whatever which whose "
    "such ";
static const char possessives[] = " my your his her its our their whose one's ";
static const char prepositions[] =
    " about above across after against along amid among around as at before behind below "
    "beneath beside between beyond by concerning despite during except for from in inside "
    "into like near of off on onto out outside over per regarding since than through "
    "throughout till to toward towards under until up upon versus via with within without "
    "unlike amidst besides ";
static const char particles[] =
    " up down out off over away back in on through around along "
    "apart aside together forth ";
static const char pronouns[] =
    " i you he she it we they me him us them someone somebody anyone anybody everyone "
    "everybody something anything everything nothing nobody one oneself myself yourself "
    "himself herself itself ourselves yourselves themselves themself others another this "
    "that these those ";
static const char subject_pronouns[] =
    " i you he she it we they someone somebody anyone "
    "everyone everybody nobody one something everything ";
static const char auxiliaries[] =
    " is are was were am be been being has have had do does did can could will would shall "
    "should may might must isn't aren't wasn't weren't hasn't haven't hadn't don't doesn't "
    "didn't can't cannot couldn't won't wouldn't shan't shouldn't mightn't mustn't ";
static const char wh_words[] = " who whom whose what which when where why how ";
static const char plain_adverbs[] =
    " not never ever also even just only often always sometimes soon already still again "
    "quite rather almost perhaps maybe then too very so once twice together instead first "
    "online offline abroad here there everywhere anonymously best better well fast hard ";
static const char not_adverbs[] =
    " family supply apply reply fly ally rely assembly anomaly bully jelly belly lily "
    "rally "
    "monopoly multiply imply comply butterfly italy july ugly lonely friendly deadly early "
    "daily weekly monthly yearly elderly likely unlikely holy silly only costly lively "
    "lovely orderly homely scholarly cowardly unruly timely worldly poly tally folly curly "
    "oily wooly ply unfriendly sickly ghostly ";

static const char irregular_plurals[] =
    " people children men women police feet teeth mice geese oxen criteria phenomena media "
    "data bacteria fungi cattle personnel folks alumni cacti stimuli dice lives wives "
    "knives thieves leaves loaves shelves wolves halves selves themselves others these "
    "those they many few several both crises analyses theses hypotheses bases oases "
    "parentheses "
    "policemen policewomen firemen firefighters fishermen salesmen gentlemen congressmen "
    "grandchildren schoolchildren lice fish vertices matrices indices ";
static const char singular_in_s[] =
    " news politics physics mathematics economics ethics gymnastics athletics statistics "
    "bus gas lens virus bias atlas canvas series species aids campus census chaos chorus "
    "circus corpus focus genus status surplus diabetes rabies analysis basis crisis thesis "
    "hypothesis oasis diagnosis synthesis sepsis arthritis cannabis tennis iris debris "
    "christmas covid-19 us this is was its always perhaps as has yes ms mrs texas paris "
    "kansas athens genius bonus cactus fungus radius stimulus consensus apparatus "
    "pancreas alias paralysis emphasis metropolis electronics dynamics genetics ";
static const char mass_nouns[] =
    " information advice evidence guidance news software malware ransomware spyware adware "
    "hardware firmware text content music money cash counterfeit knowledge research "
    "traffic equipment furniture homework help support propaganda disinformation "
    "misinformation violence pornography porn fraud theft access data code bread rice "
    "butter cheese milk water beer wine coffee tea oil soap ice snow electricity energy "
    "power heat light gold silver steel iron wood paper plastic glass cotton wool silk "
    "leather heroin cocaine methamphetamine fentanyl opium marijuana cannabis tobacco "
    "alcohol poison gas dynamite thermite napalm gunpowder ricin anthrax sarin crime "
    "corruption bribery blackmail extortion harassment bullying racism sexism hate hatred "
    "slavery terrorism espionage justice freedom peace war love fear panic chaos fun luck "
    "work labor education training health medicine insurance identity privacy security "
    "safety luggage machinery jewelry cryptocurrency bitcoin spam gossip laughter poetry "
    "art fiction cyberbullying human-trafficking trafficking smuggling laundering evidence "
    "legislation propaganda graffiti garlic honey jam yogurt pasta pizza spaghetti dough "
    "soil compost mulch clay yarn dust rust mold dirt food meat pork beef chicken weather "
    "progress feedback literature proof justification instructions-free sunlight ";

bool is_determiner(struct word word)
{
    return word_among(word, determiners) || word_ends(word, "'s") || word_ends(word, "s'");
}

bool is_possessive(struct word word)
{
    return word_among(word, possessives) || word_ends(word, "'s") || word_ends(word, "s'");
}

bool is_preposition(struct word word)
{
    return word_among(word, prepositions);
}

bool is_particle(struct word word)
{
    return word_among(word, particles);
}

bool is_conjunction(struct word word)
{
    return word_among(word, " and or & and/or ");
}

bool is_pronoun(struct word word)
{
    return word_among(word, pronouns);
}

bool is_subject_pronoun(struct word word)
{
    return word_among(word, subject_pronouns);
}

bool is_auxiliary(struct word word)
{
    return word_among(word, auxiliaries);
}

bool is_wh_word(struct word word)
{
    return word_among(word, wh_words);
}

bool is_adverb(struct word word)
{
    if (word_among(word, plain_adverbs))
        return true;
    return word.length > 3 && word_ends(word, "ly") && !word_among(word, not_adverbs);
}

bool is_comma(struct word word)
{
    return word.length == 1 && strchr(",;:", word.text[0]) != NULL;
}

bool noun_is_mass(struct word word)
{
    return word_among(word, mass_nouns) ||
           (word.length > 5 && word_ends(word, "ware") && !word_ends(word, "aware"));
}

bool noun_is_plural(struct word word)
{
    if (word.form == WORD_PLURAL || word_among(word, irregular_plurals))
        return !word_is(word, "data");
    if (word.length < 3 || !word_ends(word, "s") || word_ends(word, "ss"))
        return false;
    return !word_ends(word, "'s") && !word_ends(word, "us") &&
           !word_among(word, singular_in_s);
}
