#include "fixture.h"

#include "base/text_buffer.h"
#include "eval/artifact_columns.h"

/* "index/attempt attack request>prompt=response:outcome+stored" for each attempt. */
static char *attempts_text(const struct artifact *artifact)
{
    struct text_buffer out = {0};
    for (size_t i = 0; i < artifact->list.count; i++) {
        const struct attempt *a = &artifact->list.items[i];
        text_buffer_appendf(&out, "%lld/%lld %s %s>%s=%s:%s", (long long)a->index,
                            (long long)a->attempt, a->attack, a->request, a->prompt,
                            a->response, outcome_name(a->outcome));
        if (a->judged[0])
            text_buffer_appendf(&out, "+%s", outcome_name(a->verdicts[0]));
        text_buffer_append_char(&out, '\n');
    }
    char *text = strdup(text_buffer_string(&out));
    text_buffer_release(&out);
    return text;
}

static enum status parse(struct artifact *artifact, const char *map, const char *bytes,
                         const char *benign)
{
    char copy[512];
    char *place = NULL;
    struct string_list texts = {0};
    struct artifact_columns columns;
    snprintf(copy, sizeof copy, "%s", map);
    for (char *part = strtok_r(copy, ",", &place); part; part = strtok_r(NULL, ",", &place))
        string_list_add(&texts, part);
    enum status status = artifact_columns_parse(&columns, &texts, &error);
    columns.benign = benign;
    if (!status)
        status =
            artifact_parse_columns(artifact, bytes, strlen(bytes), "f", &columns, &error);
    string_list_release(&texts);
    return status;
}

static void assert_attempts(const char *map, const char *bytes, const char *expected)
{
    struct artifact artifact;
    assert_ok(parse(&artifact, map, bytes, NULL));
    char *text = attempts_text(&artifact);
    assert_string_equal(text, expected);
    free(text);
    artifact_release(&artifact);
}

static void equal_requests_are_one_behaviour(void **state)
{
    (void)state;
    assert_attempts("request=q,response=a",
                    "q,a\nHow?,So.\nWhat?,I'm sorry\nHow?, \nHow?,Thus.\n",
                    "0/1 stored How?>How?=So.:complied\n"
                    "1/1 stored What?>What?=I'm sorry:refused\n"
                    "0/2 stored How?>How?= :empty\n"
                    "0/3 stored How?>How?=Thus.:complied\n");
}

static void several_replies_and_their_verdicts(void **state)
{
    (void)state;
    assert_attempts(
        "request=p.-1.t,response=o.*.t,hit=d.x.Y.*",
        "{\"p\":[{\"t\":\"no\"},{\"t\":\"Q\"}],\"o\":[{\"t\":\"A\"},null,{\"t\":\"B\"}],"
        "\"d\":{\"x.Y\":[0.5,null,0.4]}}\n"
        "{\"p\":[{\"t\":\"R\"}],\"o\":[],\"d\":{\"x.Y\":[]}}\n",
        "0/1 stored Q>Q=A:complied+complied\n"
        "0/2 stored Q>Q=:target_error\n"
        "0/3 stored Q>Q=B:complied+refused\n"
        "1/1 stored R>R=:target_error\n");
}

static void all_that_can_be_named(void **state)
{
    (void)state;
    assert_attempts(
        "rows=r.s,request=v.q,response=z.o,prompt=v.p,index=v.i,attempt=v.n,"
        "attack=v.k,category=v.c,miss=ok",
        "{\"r\":{\"s\":[{\"v\":{\"q\":\"Q\",\"p\":\"P\",\"i\":\"7\",\"n\":2,\"k\":\"past\","
        "\"c\":\"C\"},\"z\":{\"o\":\"A\"},\"ok\":true},"
        "{\"v\":{\"q\":\"Q\",\"i\":7,\"n\":1,\"k\":\"past\"},\"z\":{\"o\":\"A\"},"
        "\"ok\":\"No\"}]},\"t\":[{}]}",
        "7/2 past Q>P=A:complied+refused\n"
        "7/1 past Q>Q=A:complied+complied\n");
    assert_attempts(
        "rows=*.*,request=t,response=g,hit=l",
        "{\"a\":[{\"t\":\"T\",\"g\":\"G\",\"l\":1}],\"b\":[{\"t\":\"U\",\"g\":\"H\",\"l\":"
        "0}]}",
        "0/1 stored T>T=G:complied+complied\n1/1 stored U>U=H:complied+refused\n");
}

static void harmless_requests_are_a_set(void **state)
{
    (void)state;
    struct artifact artifact;
    assert_ok(parse(&artifact, "request=q,response=a", "q,a\nHow?,So.\n", "mine"));
    assert_string_equal(artifact.list.items[0].set, "benign:mine");
    assert_string_equal(artifact.list.items[0].attack, "none");
    artifact_release(&artifact);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *map;
        const char *bytes;
        enum status status;
        const char *message;
    } cases[] = {
        {"request=q", "", STATUS_USAGE, "response=PATH are needed"},
        {"request=q,response=a,other=b", "", STATUS_USAGE, "'other=b'"},
        {"request=q,response=", "", STATUS_USAGE, "'response='"},
        {"request=q,response=a,hit=h,miss=m", "", STATUS_USAGE, "name one"},
        {"request=q,response=a", "q,a\n,b\n", STATUS_FORMAT, "row 2: request (\"q\")"},
        {"request=q,response=b", "q,a\nx,b\n", STATUS_FORMAT, "no row has a response"},
        {"request=q,response=a,hit=h", "q,a,h\nx,y,maybe\n", STATUS_FORMAT,
         "hit (\"h\") is no verdict"},
        {"request=q,response=a,index=i", "q,a,i\nx,y,1.5\n", STATUS_FORMAT,
         "index (\"i\") is no whole number"},
        {"request=q,response=a,attempt=i", "q,a,i\nx,y,0\n", STATUS_FORMAT, "attempt"},
        {"request=q,response=a,attempt=i", "q,a,i\nx,y,1\nx,z,1\n", STATUS_FORMAT,
         "behaviour 0 has attempt 1 (stored) twice"},
        {"request=q,response=a,attack=i", "q,a,i\nx,y,pst\n", STATUS_FORMAT,
         "no name of data --list-tenses"},
        {"request=q,response=a", "[{\"q\":\"x\",\"a\":[\"y\"]}]", STATUS_FORMAT,
         "is a list or an object"},
        {"request=q,response=a.*,hit=h.*", "[{\"q\":\"x\",\"a\":[\"y\"],\"h\":[1,2]}]",
         STATUS_FORMAT, "not as many replies"},
        {"rows=r.*,request=q,response=a", "{\"r\":[3]}", STATUS_FORMAT, "no object"},
        {"rows=r.*,request=q,response=a", "{\"r\":[]}", STATUS_FORMAT, "holds no row"},
        {"rows=r.*,request=q,response=a", "{\"r\":[}", STATUS_FORMAT, "column 7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct artifact artifact = {0};
        assert_int_equal(parse(&artifact, cases[i].map, cases[i].bytes, NULL),
                         cases[i].status);
        assert_message(cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_requests_are_one_behaviour),
        cmocka_unit_test(several_replies_and_their_verdicts),
        cmocka_unit_test(all_that_can_be_named),
        cmocka_unit_test(harmless_requests_are_a_set),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
