/* The parts of the REST connector that need no server: pointers, patches, requests, answers, outcomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "connectors/rest/answer.h"
#include "connectors/rest/outcome.h"
#include "connectors/rest/pages.h"
#include "connectors/rest/pointer.h"
#include "connectors/rest/request.h"

/* JSON with ' for ". */
static json_t *json(const char *text)
{
    cleanup_free char *copy = strdup(text);
    json_error_t error;

    for (char *p = copy; *p != '\0'; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *value = json_loads(copy, JSON_DECODE_ANY, &error);
    if (value == NULL)
        fail_msg("%s: %s", text, error.text);
    return value;
}

static void assert_json(json_t *seen, const char *wanted)
{
    json_t *right = json(wanted);
    char *text = json_dumps(seen, JSON_ENCODE_ANY | JSON_COMPACT);

    if (!json_equal(seen, right))
        fail_msg("%s is not %s", text, wanted);
    free(text);
    json_decref(right);
    json_decref(seen);
}

/* ---- pointers (RFC 6901 §5) ---- */

static void the_pointers_of_the_rfc_lead_where_it_says(void **state)
{
    static const struct {
        const char *pointer, *value;
    } rows[] = {
        { "/foo", "['bar','baz']" },
        { "/foo/0", "'bar'" },
        { "/", "0" },
        { "/a~1b", "1" },
        { "/c%d", "2" },
        { "/e^f", "3" },
        { "/g|h", "4" },
        { "/ ", "7" },
        { "/m~0n", "8" },
    };
    json_t *document = json("{'foo':['bar','baz'],'':0,'a/b':1,'c%d':2,'e^f':3,'g|h':4,' ':7,'m~n':8}");

    (void)state;
    assert_ptr_equal(pointer_get(document, ""), document);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_json(json_incref(pointer_get(document, rows[i].pointer)), rows[i].value);
    assert_null(pointer_get(document, "/foo/2"));
    assert_null(pointer_get(document, "/foo/00"));
    assert_null(pointer_get(document, "/foo/-"));
    assert_null(pointer_get(document, "foo"));
    assert_null(pointer_get(document, "/m~n"));
    assert_false(pointer_is_valid("/a~2"));
    json_decref(document);
}

static void what_is_missing_on_the_way_is_made(void **state)
{
    json_t *document = json_object(), *value = json_string("Ann");
    struct error error = { 0 };

    (void)state;
    assert_int_equal(pointer_set(document, "/name/given", value, &error), 0);
    assert_int_equal(pointer_set(document, "/emails/0/value", value, &error), 0);
    assert_int_equal(pointer_set(document, "/a~1b", value, &error), 0);
    assert_int_equal(pointer_set(document, "/name/given/x", value, &error), ERROR_INVALID);
    assert_null(strstr(error.text, "Ann"));
    assert_int_equal(pointer_set(document, "/emails/7", value, &error), ERROR_INVALID);
    assert_int_equal(pointer_set(document, "", value, &error), ERROR_INVALID);
    pointer_remove(document, "/nobody/there");
    json_decref(value);
    assert_json(document, "{'name':{'given':'Ann'},'emails':[{'value':'Ann'}],'a/b':'Ann'}");
}

/* ---- comparing ---- */

static void assert_fits(const char *wanted, const char *current, bool fits)
{
    json_t *left = json(wanted), *right = json(current);

    if (value_fits(left, right) != fits)
        fail_msg("%s and %s", wanted, current);
    json_decref(left);
    json_decref(right);
}

static void an_object_may_have_more_and_a_list_may_not(void **state)
{
    (void)state;
    assert_fits("{'a':1}", "{'a':1,'b':2}", true);
    assert_fits("{'a':1,'b':2}", "{'a':1}", false);
    assert_fits("['a','b']", "['b','a']", true);
    assert_fits("['a']", "['b','a']", false);
    assert_fits("['a','a']", "['a','b']", false);
    assert_fits("[{'v':'x'}]", "[{'v':'x','primary':true}]", true);
    assert_fits("[{'v':'x'},{'v':'x','p':1}]", "[{'v':'x','p':1},{'v':'x','q':1}]", true);
    assert_fits("'a'", "['a']", false);
    assert_fits("1", "1.0", true);
    assert_fits("1", "'1'", false);
    assert_fits("null", "null", true);
    assert_fits("true", "'yes it is'", false);
}

static void a_boolean_of_the_mapping_fits_each_of_its_spellings(void **state)
{
    static const char *const yes[] = { "true", "1", "'True'", "'TRUE'", "'true'", "'yes'", "'on'", "'1'" };
    static const char *const no[] = { "false", "0", "'False'", "'FALSE'", "'false'", "'No'", "'off'", "'0'" };
    static const char *const neither[] = { "2", "-1", "'Y'", "'truely'", "' true'", "''", "1.5", "['true']", "{}" };

    (void)state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        assert_fits("true", yes[i], true);
        assert_fits("false", yes[i], false);
        assert_fits("false", no[i], true);
        assert_fits("true", no[i], false);
    }
    for (size_t i = 0; i < sizeof(neither) / sizeof(neither[0]); i++) {
        assert_fits("true", neither[i], false);
        assert_fits("false", neither[i], false);
    }
    assert_fits("{'a':[true]}", "{'a':['True']}", true);
    /* what the mapping has as a text or number stays one */
    assert_fits("'true'", "true", false);
    assert_fits("'False'", "'false'", false);
    assert_fits("1", "true", false);
    assert_fits("'1'", "1", false);
}

/* ---- patches ---- */

struct subject {
    struct operation operation;
    json_t *pointers, *document;
    struct differences differences;
};

/* `changes`: an object, null for one that goes. */
static struct subject subject(const char *pointers, const char *document, const char *changes)
{
    struct subject made = { .pointers = json(pointers), .document = json(document) };
    json_t *wanted = json(changes), *value;
    struct operation *operation = &made.operation;
    const char *name;

    operation->values = json_incref(wanted);
    operation->changes = calloc(json_object_size(wanted) + 1, sizeof(*operation->changes));
    json_object_foreach (wanted, name, value)
        operation->changes[operation->change_count++] =
            (struct change){ json_is_null(value) ? CHANGE_DELETE : CHANGE_REPLACE, strdup(name),
                             json_is_null(value) ? NULL : json_incref(value) };
    json_decref(wanted);
    assert_int_equal(differences_find(operation, made.pointers, made.document, &made.differences, NULL), 0);
    return made;
}

static void subject_clear(struct subject *made)
{
    differences_clear(&made->differences);
    operation_clear(&made->operation);
    json_decref(made->pointers);
    json_decref(made->document);
}

static void assert_patch(enum send send, const char *pointers, const char *document, const char *changes, const char *wanted)
{
    struct subject made = subject(pointers, document, changes);
    struct patch_input input = { made.operation.values, made.pointers, made.document, &made.differences };
    struct error error = { 0 };
    json_t *body = NULL;

    if (patch_make(send, &input, &body, &error) < 0)
        fail_msg("%s", error.text);
    assert_json(body, wanted);
    subject_clear(&made);
}

#define NAMES "{'first':'/name/given','last':'/name/family'}"
#define ANN "{'id':7,'name':{'given':'Ann','family':'Lee'},'email':'ann@example.com','tags':['a','b'],'room':'12'}"

static void only_real_differences_are_differences(void **state)
{
    struct subject made =
        subject(NAMES, ANN, "{'first':'Ann','last':'Lee','tags':['b','a'],'absent':null,'email':'ann@example.com'}");

    (void)state;
    assert_int_equal(made.differences.count, 0);
    subject_clear(&made);
}

static void an_object_has_every_attribute_at_its_pointer(void **state)
{
    (void)state;
    assert_patch(SEND_OBJECT, NAMES, "{}", "{'first':'Ann','last':'Lee','email':'a@example.com'}",
                 "{'name':{'given':'Ann','family':'Lee'},'email':'a@example.com'}");
}

static void a_document_keeps_what_the_mapping_does_not_name(void **state)
{
    (void)state;
    assert_patch(SEND_DOCUMENT, NAMES, ANN, "{'last':'Lee-Park','room':null}",
                 "{'id':7,'name':{'given':'Ann','family':'Lee-Park'},'email':'ann@example.com','tags':['a','b']}");
    assert_patch(SEND_DOCUMENT, "{}", "{'name':{'given':'Ann','middle':'X'}}", "{'name':{'given':'Anna'}}",
                 "{'name':{'given':'Anna','middle':'X'}}");
}

static void changes_are_whole_values_and_null_for_what_goes(void **state)
{
    (void)state;
    assert_patch(SEND_CHANGES, NAMES, ANN, "{'last':'Park','first':'Ann','room':null}", "{'name':{'family':'Park'},'room':null}");
    assert_patch(SEND_CHANGES, "{}", "{'name':{'given':'Ann','family':'Lee'}}", "{'name':{'given':'Ann','family':'Park'}}",
                 "{'name':{'given':'Ann','family':'Park'}}");
}

static void a_merge_patch_has_only_the_members_that_differ(void **state)
{
    (void)state;
    assert_patch(SEND_MERGE_PATCH, "{}", "{'name':{'given':'Ann','family':'Lee'}}", "{'name':{'given':'Ann','family':'Park'}}",
                 "{'name':{'family':'Park'}}");
    assert_patch(SEND_MERGE_PATCH, NAMES, ANN, "{'room':null,'email':'x@example.com'}", "{'room':null,'email':'x@example.com'}");
}

#define PATCH_OP(operations) "{'schemas':['urn:ietf:params:scim:api:messages:2.0:PatchOp'],'Operations':[" operations "]}"

/* As the planner says it: null where it shall go. */
static void a_member_that_shall_go_is_taken_out_in_every_form(void **state)
{
#define NICKED "{'name':{'given':'Ann','nick':'Annie','title':'Dr','former':{'family':'Orr','given':'A'}}}"
#define UNNICKED "{'name':{'given':'Ann','nick':null,'former':{'family':null,'given':'A'}}}"
    (void)state;
    assert_patch(SEND_DOCUMENT, "{}", NICKED, UNNICKED, "{'name':{'given':'Ann','title':'Dr','former':{'given':'A'}}}");
    assert_patch(SEND_CHANGES, "{}", NICKED, UNNICKED, UNNICKED);
    assert_patch(SEND_MERGE_PATCH, "{}", NICKED, UNNICKED, "{'name':{'nick':null,'former':{'family':null}}}");
    assert_patch(SEND_JSON_PATCH, "{}", NICKED, UNNICKED,
                 "[{'op':'remove','path':'/name/nick'},{'op':'remove','path':'/name/former/family'}]");
    assert_patch(SEND_SCIM_PATCH, "{}", NICKED, UNNICKED, /* null unassigns (RFC 7643 §2.5) */
                 PATCH_OP("{'op':'replace','path':'name','value':{'nick':null,'former':{'family':null}}}"));
}

static void a_merge_patch_into_a_list_carries_the_whole_list(void **state)
{
    (void)state;
    assert_patch(SEND_MERGE_PATCH, "{'work':'/emails/0/value'}", "{'emails':[{'value':'a','type':'work'},{'value':'b'}]}",
                 "{'work':'c'}", "{'emails':[{'value':'c','type':'work'},{'value':'b'}]}");
}

static void a_json_patch_adds_replaces_and_removes_with_escaped_paths(void **state)
{
    (void)state;
    assert_patch(
        SEND_JSON_PATCH, "{'odd':'/a~1b'}", "{'a/b':1,'room':'12'}", "{'odd':2,'room':null,'email':'x'}",
        "[{'op':'replace','path':'/a~1b','value':2},{'op':'remove','path':'/room'},{'op':'add','path':'/email','value':'x'}]");
}

static void a_json_patch_makes_missing_parents_once(void **state)
{
    (void)state;
    assert_patch(SEND_JSON_PATCH, NAMES, "{'id':1}", "{'first':'Ann','last':'Lee'}",
                 "[{'op':'add','path':'/name','value':{'given':'Ann'}},{'op':'add','path':'/name/family','value':'Lee'}]");
    assert_patch(SEND_JSON_PATCH, NAMES, "{'name':null}", "{'first':'Ann'}",
                 "[{'op':'replace','path':'/name','value':{'given':'Ann'}}]");
    assert_patch(SEND_JSON_PATCH, "{}", "{'name':{'given':'Ann','x':1}}", "{'name':{'given':'Anna','family':'Lee'}}",
                 "[{'op':'replace','path':'/name/given','value':'Anna'},{'op':'add','path':'/name/family','value':'Lee'}]");
}

#define ENTERPRISE "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

static void a_scim_patch_names_attributes_by_their_paths(void **state)
{
    (void)state;
    assert_patch(SEND_SCIM_PATCH,
                 "{'first':'/name/givenName','department':'/" ENTERPRISE "/department','boss':'/" ENTERPRISE "/manager/value'}",
                 "{'name':{'givenName':'Ann'},'nickName':'A','active':true}",
                 "{'first':'Anna','department':'Sales','boss':'7','nickName':null,'active':false}",
                 PATCH_OP("{'op':'replace','path':'name.givenName','value':'Anna'},"
                          "{'op':'add','path':'" ENTERPRISE ":department','value':'Sales'},"
                          "{'op':'add','path':'" ENTERPRISE ":manager.value','value':'7'},"
                          "{'op':'remove','path':'nickName'},"
                          "{'op':'replace','path':'active','value':false}"));
}

static void a_schema_by_itself_is_no_path(void **state)
{
    (void)state;
    assert_patch(SEND_SCIM_PATCH, "{'enterprise':'/" ENTERPRISE "'}", "{}", "{'enterprise':{'department':'Sales'}}",
                 PATCH_OP("{'op':'add','value':{'" ENTERPRISE "':{'department':'Sales'}}}"));
}

static void a_member_cannot_break_out_of_a_scim_filter(void **state)
{
    json_t *body = NULL;

    (void)state;
    assert_int_equal(patch_scim_member(true, "members", "7", &body, NULL), 0);
    assert_json(body, PATCH_OP("{'op':'add','path':'members','value':[{'value':'7'}]}"));
    assert_int_equal(patch_scim_member(false, "members", "7\"] or [x", &body, NULL), 0);
    assert_string_equal(json_string_value(pointer_get(body, "/Operations/0/path")), "members[value eq \"7\\\"] or [x\"]");
    json_decref(body);
    assert_null(patch_scim_path("/emails/0/value"));
}

/* ---- requests ---- */

static int make_message(const char *settings, enum call_kind kind, struct message *message, struct error *error)
{
    json_t *parsed = json(settings);
    struct call call;

    assert_int_equal(call_find(parsed, kind, false, &call, error), 0);
    int code = message_make(&call, &(struct message_input){ 0 }, message, error);
    json_decref(parsed);
    return code;
}

static void a_request_is_made_as_the_mapping_says(void **state)
{
    struct message message = { 0 };
    json_t *settings =
        json("{'requests':{'create':{'path':'/employees','query':{'a b':'x&y=z','n':17,'list':['p','q'],'none':null},"
             "'headers':{'X-Tenant':'acme'},'body':{'k':'v'}}}}");
    struct call call;

    (void)state;
    assert_int_equal(call_find(settings, CALL_CREATE, false, &call, NULL), 0);
    assert_int_equal(message_make(&call, &(struct message_input){ 0 }, &message, NULL), 0);
    assert_string_equal(message.http.method, "POST");
    assert_string_equal(message.target, "/employees?a%20b=x%26y%3Dz&n=17&list=p&list=q");
    assert_string_equal(message.body, "{\"k\":\"v\"}");
    assert_string_equal(message.http.content_type, "application/json");
    assert_string_equal(message.headers[0].name, "X-Tenant");
    assert_string_equal(message.headers[0].value, "acme");
    assert_false(message.http.repeatable);
    message_clear(&message);
    json_decref(settings);
}

static void methods_and_bodies_have_the_defaults_that_the_manual_says(void **state)
{
    static const struct {
        const char *request;
        enum call_kind kind;
        bool changes;
        const char *method;
        enum send send;
    } rows[] = {
        { "{}", CALL_CREATE, false, "POST", SEND_OBJECT },
        { "{'body':{}}", CALL_CREATE, false, "POST", SEND_NONE },
        { "{}", CALL_UPDATE, true, "PATCH", SEND_MERGE_PATCH },
        { "{'method':'PUT'}", CALL_UPDATE, true, "PUT", SEND_OBJECT },
        { "{'method':'POST'}", CALL_UPDATE, true, "POST", SEND_CHANGES },
        { "{'send':'document'}", CALL_UPDATE, true, "PUT", SEND_DOCUMENT },
        { "{'send':'scim_patch'}", CALL_UPDATE, true, "PATCH", SEND_SCIM_PATCH },
        { "{}", CALL_DISABLE, false, "POST", SEND_NONE },
        { "{}", CALL_DISABLE, true, "PATCH", SEND_MERGE_PATCH }, /* the update under this name */
        { "{}", CALL_ENABLE, false, "POST", SEND_NONE },
        { "{}", CALL_REMOVE, false, "DELETE", SEND_NONE },
        { "{}", CALL_READ, false, "GET", SEND_NONE },
        { "{'method':'POST','body':{}}", CALL_READ, false, "POST", SEND_NONE },
        { "{'body':{}}", CALL_MEMBER_ADD, false, "PATCH", SEND_NONE },
        { "{'send':'scim_patch'}", CALL_MEMBER_REMOVE, false, "PATCH", SEND_SCIM_PATCH },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *text = str_printf("{'requests':{'%s':%s}}", call_name(rows[i].kind), rows[i].request);
        json_t *settings = json(text);
        struct call call;
        assert_int_equal(call_find(settings, rows[i].kind, rows[i].changes, &call, NULL), 0);
        assert_string_equal(call.method, rows[i].method);
        assert_int_equal(call.send, rows[i].send);
        json_decref(settings);
    }
}

static void no_path_leads_out_of_its_place(void **state)
{
    static const char *const bad[] = { "/a/../b", "/a/./b",     "/a/%2e%2E/b", "/a/.%2e", "/..",          "/a//b",   "employees",
                                       "/a b",    "/a\r\nX: y", "/a#b",        "/a\\b",   "/caf\xc3\xa9", "//host/a" };
    static const char *const good[] = { "",      "/",      "/employees", "/employees/", "/a/...",
                                        "/a/.b", "/a%2Fb", "/a?x=..",    "/a/b..",      "?x=1" };
    struct error error = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (request_check_path(bad[i], &error) == 0)
            fail_msg("\"%s\" passes", bad[i]);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (request_check_path(good[i], &error) < 0)
            fail_msg("%s", error.text);
}

static void a_header_with_a_line_end_is_refused(void **state)
{
    struct message message = { 0 };
    struct error error = { 0 };

    (void)state;
    assert_int_equal(
        make_message("{'requests':{'read':{'path':'/a','headers':{'X':'a\\r\\nY: b'}}}}", CALL_READ, &message, &error),
        ERROR_INVALID);
    assert_int_equal(
        make_message("{'requests':{'read':{'path':'/a','headers':[{'name':'X Y','value':'b'}]}}}", CALL_READ, &message, &error),
        ERROR_INVALID);
    assert_int_equal(make_message("{'requests':{'read':{'path':'/a','query':{'x':{'y':1}}}}}", CALL_READ, &message, &error),
                     ERROR_INVALID);
}

static void a_form_is_a_form(void **state)
{
    json_t *settings = json("{'requests':{'disable':{'path':'/off','content_type':'application/x-www-form-urlencoded',"
                            "'body':{'who':'a&b','n':1}}}}");
    struct message message = { 0 };
    struct call call;

    (void)state;
    assert_int_equal(call_find(settings, CALL_DISABLE, false, &call, NULL), 0);
    assert_int_equal(message_make(&call, &(struct message_input){ 0 }, &message, NULL), 0);
    assert_string_equal(message.body, "who=a%26b&n=1");
    message_clear(&message);
    json_decref(settings);
}

/* ---- answers ---- */

static int parse(const char *body, const char *type, struct error *error)
{
    json_t *document = NULL;
    int code = answer_parse(body, strlen(body), type, &document, error);

    json_decref(document);
    return code;
}

static void what_is_no_json_is_said_to_be_none(void **state)
{
    struct error error = { 0 };

    (void)state;
    assert_int_equal(parse("{\"id\": 1}", "application/json", &error), 0);
    assert_true(parse("<!DOCTYPE html><html>", "application/json", &error) < 0);
    assert_non_null(strstr(error.text, "page"));
    assert_true(parse("{}", "text/html; charset=utf-8", &error) < 0);
    assert_true(parse("{\"id\": 1", "application/json", &error) < 0);
    assert_non_null(strstr(error.text, "too early"));
    assert_true(parse("{\"id\": 1,,}", "application/json", &error) < 0);
    assert_non_null(strstr(error.text, "line 1"));
    assert_true(parse("{\"id\": 1, \"id\": 2}", "application/json", &error) < 0);
    assert_non_null(strstr(error.text, "twice"));
    assert_true(parse("", "application/json", &error) < 0);
    assert_non_null(strstr(error.text, "empty"));
    assert_true(parse("{\"secret-text", NULL, &error) < 0);
    assert_null(strstr(error.text, "secret-text"));
}

static struct call call_with(const json_t *settings, enum call_kind kind)
{
    struct call call;

    assert_int_equal(kind == CALL_MATCH ? call_match(settings, 0, &call, NULL) : call_find(settings, kind, false, &call, NULL),
                     0);
    return call;
}

static void a_list_of_another_type_is_never_nobody(void **state)
{
    static const struct {
        const char *answer;
        int code;
        size_t count;
    } rows[] = {
        { "{'items':[{},{}]}", 0, 2 },        { "{'items':[]}", 0, 0 },
        { "{'items':null}", 0, 0 },           { "{'total':0}", 0, 0 },
        { "{'total':2}", ERROR_INVALID, 0 },  { "{}", ERROR_INVALID, 0 },
        { "{'items':{}}", ERROR_INVALID, 0 }, { "{'items':'x'}", ERROR_INVALID, 0 },
        { "[]", ERROR_INVALID, 0 },
    };
    json_t *settings = json("{'requests':{'list':{'path':'/e','items':'/items','next':{'by':'offset','total':'/total'}}}}");
    struct call call = call_with(settings, CALL_LIST);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *document = json(rows[i].answer);
        const json_t *items = NULL;
        assert_int_equal(answer_items(&call, document, &items, NULL), rows[i].code);
        assert_int_equal(json_array_size(items), rows[i].count);
        json_decref(document);
    }
    json_decref(settings);
}

static void an_id_is_a_text_or_a_whole_number(void **state)
{
    static const struct {
        const char *item, *id;
    } rows[] = {
        { "{'id':17}", "17" },   { "{'id':'a/b c'}", "a/b c" }, { "{'id':''}", NULL },   { "{'id':1.5}", NULL },
        { "{'id':true}", NULL }, { "{'id':{}}", NULL },         { "{'id':null}", NULL }, { "{}", NULL },
        { "[1]", NULL },
    };
    json_t *settings = json("{'requests':{'read':{'path':'/e'}}}");
    struct call call = call_with(settings, CALL_READ);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *item = json(rows[i].item);
        struct error error = { 0 };
        char *id = NULL;
        answer_id(&call, item, &id, &error);
        if (rows[i].id != NULL)
            assert_string_equal(id, rows[i].id);
        else
            assert_true(id == NULL && strstr(error.text, "/id") != NULL);
        free(id);
        json_decref(item);
    }
    json_decref(settings);
}

static void disabled_is_read_where_the_mapping_says(void **state)
{
    static const struct {
        const char *disabled, *item;
        int wanted;
    } rows[] = {
        { "{'pointer':'/status','values':['terminated','left']}", "{'status':'left'}", 1 },
        { "{'pointer':'/status','values':['terminated']}", "{'status':'active'}", 0 },
        { "{'pointer':'/status','values':['terminated']}", "{}", -1 },
        { "{'pointer':'/active','values':[false]}", "{'active':false}", 1 },
        { "{'pointer':'/active','values':false}", "{'active':false}", 1 },
        { "{'pointer':'/active','values':[false]}", "{'active':true}", 0 },
        { "{'pointer':'/active','values':[false]}", "{'active':'False'}", 1 },
        { "{'pointer':'/active','values':[false]}", "{'active':'false'}", 1 },
        { "{'pointer':'/active','values':[false]}", "{'active':0}", 1 },
        { "{'pointer':'/active','values':[false]}", "{'active':'0'}", 1 },
        { "{'pointer':'/active','values':false}", "{'active':'no'}", 1 },
        { "{'pointer':'/active','values':[false]}", "{'active':'True'}", 0 },
        { "{'pointer':'/active','values':[false]}", "{'active':1}", 0 },
        { "{'pointer':'/active','values':[false]}", "{'active':'1'}", 0 },
        { "{'pointer':'/active','values':[false]}", "{'active':'archived'}", -1 }, /* neither: it tells nothing */
        { "{'pointer':'/active','values':[false,'archived']}", "{'active':'archived'}", 1 },
        { "{'pointer':'/active','values':[false]}", "{'active':[false]}", -1 },
        { "{'pointer':'/locked','values':[true]}", "{'locked':'True'}", 1 },
        { "{'pointer':'/status','values':['False']}", "{'status':'false'}", 0 }, /* a text is none */
        { "{'pointer':'/status','values':['0']}", "{'status':0}", 1 },
        { "{'pointer':'/status','values':['left']}", "{'status':{'left':1}}", -1 },
        { "{'pointer':'/disabled'}", "{'disabled':'False'}", 0 },
        { "{'pointer':'/disabled'}", "{'disabled':0}", 0 },
        { "{'pointer':'/disabled'}", "{'disabled':'no'}", 0 },
        { "{'pointer':'/disabled'}", "{'disabled':[]}", 0 },
        { "{'pointer':'/disabled'}", "{'disabled':'True'}", 1 },
        { "{'pointer':'/disabled'}", "{'disabled':1}", 1 },
        { "{'pointer':'/left_on'}", "{'left_on':'2026-11-23'}", 1 },
        { "{'pointer':'/left_on'}", "{'left_on':null}", 0 },
        { "{'pointer':'/left_on'}", "{}", 0 },
        { "null", "{}", -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *text = str_printf("{'requests':{'read':{}},'result':{'disabled':%s}}", rows[i].disabled);
        json_t *settings = json(text), *item = json(rows[i].item);
        struct call call = call_with(settings, CALL_READ);
        if (answer_disabled(&call, item) != rows[i].wanted)
            fail_msg("%s and %s: %d", rows[i].disabled, rows[i].item, answer_disabled(&call, item));
        json_decref(settings);
        json_decref(item);
    }
}

static void a_stranger_is_not_meant(void **state)
{
    static const struct {
        const char *request, *item;
        bool meant;
    } rows[] = {
        { "{'where':{'first':'Ann'}}", "{'name':{'given':'Ann'}}", true },
        { "{'where':{'first':'Ann'}}", "{'name':{'given':'Bob'}}", false },
        { "{'where':{'first':'Ann'}}", "{}", false },
        { "{'where':{'number':'17'}}", "{'number':17}", true },
        { "{'where':{'first':'Ann'}}", "{'name':{'given':'aNN'}}", true }, /* case makes no difference */
        { "{'where':{'first':['','Ann']}}", "{'name':{'given':'ANN'}}", true },
        { "{'where':{'first':'Ann'},'exact':['first']}", "{'name':{'given':'ANN'}}", false }, /* but where it is said to */
        { "{'where':{'first':['','Ann']},'exact':['first']}", "{'name':{'given':'ANN'}}", false },
        { "{'where':{'first':'Ann','number':'a'},'exact':['first']}", "{'name':{'given':'Ann'},'number':'A'}", true },
        { "{'where':{'number':''}}", "{}", true }, /* nothing may be there */
        { "{'where':{'number':''}}", "{'number':null}", true },
        { "{'where':{'number':''}}", "{'number':''}", true },
        { "{'where':{'number':''}}", "{'number':[]}", true },
        { "{'where':{'number':''}}", "{'number':[17]}", false },
        { "{'where':{'number':''}}", "{'number':17}", false },
        { "{'where':{'number':''}}", "{'number':0}", false },
        { "{'where':{'number':''}}", "{'number':false}", false },
        { "{'where':{'number':['','17']}}", "{}", true }, /* or one of these */
        { "{'where':{'number':['','17']}}", "{'number':''}", true },
        { "{'where':{'number':['','17']}}", "{'number':17}", true },
        { "{'where':{'number':['','17']}}", "{'number':18}", false },
        { "{'where':{'number':['16','17']}}", "{}", false },
        { "{'where':{'number':['16','17']}}", "{'number':['17','16']}", true },
        { "{'where':{'number':['16','17']}}", "{'number':['17']}", false },
        { "{'query':{'email':'ann@example.com'}}", "{'email':'ANN@example.com'}", true },
        { "{'query':{'email':'ann@example.com'}}", "{'email':'bob@example.com'}", false },
        { "{'query':{'email':'ann@example.com'}}", "{}", true },
        { "{'query':{'limit':1}}", "{'email':'bob@example.com'}", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *text = str_printf("{'requests':{'match':[%s]},'pointers':{'first':'/name/given'}}", rows[i].request);
        json_t *settings = json(text), *item = json(rows[i].item);
        struct call call = call_with(settings, CALL_MATCH);
        if (answer_is_meant(&call, item) != rows[i].meant)
            fail_msg("%s and %s", rows[i].request, rows[i].item);
        json_decref(settings);
        json_decref(item);
    }
}

static void a_hit_of_another_type_is_never_somebody_else(void **state)
{
    static const struct {
        const char *item;
        int code;
    } rows[] = {
        { "{'name':{'given':'Bob'}}", 0 },
        { "{}", 0 },
        { "'Ann'", ERROR_INVALID },
        { "null", ERROR_INVALID },
        { "{'name':{'given':['Ann']}}", ERROR_INVALID },
        { "{'name':{'given':{}}}", ERROR_INVALID },
    };
    json_t *settings = json("{'requests':{'match':[{'items':'','where':{'first':'Ann'}}]},'pointers':{'first':'/name/given'}}");
    struct call call = call_with(settings, CALL_MATCH);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *item = json(rows[i].item);
        assert_int_equal(answer_check_hit(&call, item, NULL), rows[i].code);
        json_decref(item);
    }
    json_decref(settings);
}

/* ---- outcomes ---- */

static struct verdict verdict_for(enum call_kind kind, int status)
{
    struct call call = { .kind = kind, .items = kind <= CALL_GROUPS_OF && kind != CALL_READ ? "/items" : NULL };

    return verdict_of_answer(&call, NULL, &(struct http_answer){ .status = status });
}

static bool is_one_of(int status, const int *list)
{
    while (*list != 0 && *list != status)
        list++;
    return *list != 0;
}

/* The rules written here again, so that a row that is lost is missed. */
static struct verdict expected(enum call_kind kind, int status)
{
    static const int records[] = { 400, 411, 413, 414, 415, 422, 428, 431, 0 }, targets[] = { 407, 421, 511, 0 };
    bool list = kind == CALL_MATCH || kind == CALL_LIST || kind == CALL_GROUPS_OF;
    struct verdict either = { .outcome = OUTCOME_RETRY, .refusal = REFUSAL_UNSURE };

    if (status == 304)
        return (struct verdict){ .outcome = kind <= CALL_GROUPS_OF ? OUTCOME_REJECTED : OUTCOME_UNCHANGED };
    if (status == 404 || status == 410)
        return kind == CALL_CREATE || list ? either
                                           : (struct verdict){ .outcome = kind == CALL_REMOVE ? OUTCOME_UNCHANGED : OUTCOME_GONE };
    if (status == 401)
        return (struct verdict){ .outcome = OUTCOME_RETRY, .refusal = REFUSAL_UNSURE_LOGIN };
    if (status == 409 || status == 412)
        return (struct verdict){ .outcome = OUTCOME_CONFLICT };
    if (status == 425 || status == 429)
        return (struct verdict){ .outcome = OUTCOME_RETRY };
    if (is_one_of(status, records))
        return (struct verdict){ .outcome = OUTCOME_REJECTED };
    if (is_one_of(status, targets))
        return (struct verdict){ .outcome = OUTCOME_TARGET_DOWN };
    return status >= 200 && status < 300 ? (struct verdict){ .outcome = OUTCOME_APPLIED } : either;
}

static void every_status_has_exactly_one_outcome_for_each_call_and_tells_whose_refusal_it_is(void **state)
{
    static const int none[] = { 0, 600, 999, -1 };

    (void)state;
    for (enum call_kind kind = 0; kind < CALL_COUNT; kind++)
        for (int status = 100; status < 600; status++) {
            struct verdict seen = verdict_for(kind, status), right = expected(kind, status);
            if (seen.outcome != right.outcome || seen.refusal != right.refusal)
                fail_msg("%s %d: %s, %d", call_name(kind), status, outcome_name(seen.outcome), seen.refusal);
        }
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(verdict_for(CALL_UPDATE, none[i]).outcome, OUTCOME_RETRY);
        assert_int_equal(verdict_for(CALL_UPDATE, none[i]).refusal, REFUSAL_UNSURE);
    }
}

static void a_status_that_a_gateway_gives_leaves_open_what_is_done_behind_it(void **state)
{
    static const int open[] = { 102, 202, 405, 408, 502, 503, 504, 524, 598, 0 }, closed[] = { 200, 201, 204, 304, 400, 401, 403, 404, 409, 422, 429, 500,
                                                                                         501, 0 };

    (void)state;
    for (const int *status = open; *status != 0; status++)
        if (!status_row(*status)->at_work)
            fail_msg("%d", *status);
    for (const int *status = closed; *status != 0; status++)
        if (status_row(*status)->at_work)
            fail_msg("%d", *status);
}

/* ---- rate limits ---- */

static const struct patience asks = { .asked = true, .retry_after_us = 7000000 };
static const struct patience used_up = { .used_up = true, .reset_us = 3600000000 };

static struct verdict limited_verdict(enum call_kind kind, int status, struct patience patience)
{
    struct call call = { .kind = kind };

    return verdict_of_answer(&call, NULL, &(struct http_answer){ .status = status, .retry_after_us = 7000000, .patience = patience });
}

static void a_refusal_that_asks_to_wait_is_a_rate_limit_whatever_its_status(void **state)
{
    (void)state;
    for (int status = 400; status < 500; status++) {
        struct verdict verdict = limited_verdict(CALL_DISABLE, status, asks);
        if (verdict.outcome != OUTCOME_RETRY || verdict.refusal != REFUSAL_SURE || verdict.retry_after_us != 7000000)
            fail_msg("%d: %s", status, outcome_name(verdict.outcome));
    }
    assert_int_equal(limited_verdict(CALL_DISABLE, 200, asks).outcome, OUTCOME_APPLIED);
    assert_int_equal(limited_verdict(CALL_DISABLE, 302, asks).refusal, REFUSAL_UNSURE);
    assert_int_equal(limited_verdict(CALL_DISABLE, 403, (struct patience){ .unread = true }).refusal, REFUSAL_UNSURE);
}

static void a_failure_that_asks_to_wait_stays_one_that_may_be_the_target_s(void **state)
{
    (void)state;
    for (int status = 500; status < 600; status++) {
        struct verdict verdict = limited_verdict(CALL_DISABLE, status, asks), plain = expected(CALL_DISABLE, status);
        if (verdict.outcome != plain.outcome || verdict.refusal != plain.refusal || verdict.retry_after_us != 7000000)
            fail_msg("%d: %s", status, outcome_name(verdict.outcome));
    }
    assert_int_equal(limited_verdict(CALL_CREATE, 503, asks).refusal, REFUSAL_UNSURE);
    assert_int_equal(limited_verdict(CALL_READ, 500, asks).refusal, REFUSAL_UNSURE);
}

static void a_used_up_quota_is_a_rate_limit_where_the_status_says_nothing_better(void **state)
{
    static const int limited[] = { 403, 429, 500, 503, 0 }, others[] = { 400, 401, 404, 409, 422, 0 };

    (void)state;
    for (const int *status = limited; *status != 0; status++) {
        struct verdict verdict = limited_verdict(CALL_UPDATE, *status, used_up);
        assert_int_equal(verdict.outcome, OUTCOME_RETRY);
        assert_int_equal(verdict.refusal, REFUSAL_SURE);
        assert_true(verdict.by_quota && verdict.retry_after_us == PATIENCE_MOST_US);
    }
    for (const int *status = others; *status != 0; status++) {
        struct verdict verdict = limited_verdict(CALL_UPDATE, *status, used_up);
        assert_int_equal(verdict.outcome, expected(CALL_UPDATE, *status).outcome);
        assert_int_equal(verdict.refusal, expected(CALL_UPDATE, *status).refusal);
        assert_false(verdict.by_quota);
    }
}

static void no_status_has_two_rows_and_each_row_speaks(void **state)
{
    (void)state;
    for (const struct status_row *row = status_table(); row->first != 0; row++) {
        assert_true(strlen(row->name) > 1 && strlen(row->sentence) > 3 && row->first <= row->last);
        assert_true(row->refusal != REFUSAL_UNSURE || row->outcome == OUTCOME_RETRY);
        for (const struct status_row *later = row + 1; row->first == row->last && later->first != 0; later++)
            assert_int_not_equal(row->first, later->first == later->last ? later->first : 0);
    }
}

static struct verdict overridden(const struct call *call, const struct status_overrides *overrides, int status)
{
    struct verdict verdict = verdict_of_answer(call, overrides, &(struct http_answer){ .status = status });

    assert_int_equal(verdict.refusal, REFUSAL_SURE);
    return verdict;
}

static void a_request_s_outcome_comes_before_the_target_s_and_is_sure(void **state)
{
    json_t *settings =
        json("{'requests':{'update':{'outcomes':[{'status':423,'outcome':'retry'},{'status':404,'outcome':'rejected'}]},"
             "'remove':{'outcomes':[{'status':422,'outcome':'gone'}]},"
             "'create':{'outcomes':[{'status':404,'outcome':'gone'}]}}}");
    struct call update = call_with(settings, CALL_UPDATE), remove = call_with(settings, CALL_REMOVE), create = call_with(settings, CALL_CREATE);
    struct status_overrides overrides;
    config_t config;

    (void)state;
    config_init(&config);
    assert_true(
        config_read_string(&config, "o = ( { status = 423; outcome = \"gone\"; }, { status = 403; outcome = \"rejected\"; } );"));
    overrides_read(config_lookup(&config, "o"), &overrides);
    config_destroy(&config);
    assert_int_equal(overridden(&update, &overrides, 423).outcome, OUTCOME_RETRY);
    assert_int_equal(overridden(&update, &overrides, 404).outcome, OUTCOME_REJECTED);
    assert_int_equal(overridden(&update, &overrides, 403).outcome, OUTCOME_REJECTED);
    assert_int_equal(overridden(&update, &overrides, 409).outcome, OUTCOME_CONFLICT);
    assert_int_equal(overridden(&remove, &overrides, 423).outcome, OUTCOME_UNCHANGED); /* gone is what a removal wants */
    assert_int_equal(overridden(&remove, &overrides, 422).outcome, OUTCOME_UNCHANGED);
    assert_int_equal(overridden(&create, &overrides, 404).outcome, OUTCOME_REJECTED);
    struct http_answer limited = { .status = 403, .retry_after_us = 7000000, .patience = asks };
    assert_int_equal(verdict_of_answer(&update, &overrides, &limited).outcome, OUTCOME_REJECTED);
    json_decref(settings);
}

static void a_code_within_a_success_has_its_outcome(void **state)
{
    json_t *settings = json("{'requests':{'update':{}},'result':{'failure':'/error','code':'/error/code','codes':"
                            "[{'code':'-32004','outcome':'gone'},{'code':-32000,'outcome':'retry'}]}}");
    struct call call = call_with(settings, CALL_UPDATE);
    json_t *failed = json("{'error':{'code':-32004}}"), *fine = json("{'error':null,'result':{}}");
    char *code = answer_failure(&call, failed);

    (void)state;
    assert_string_equal(code, "-32004");
    assert_int_equal(verdict_of_code(&call, code).outcome, OUTCOME_GONE);
    assert_int_equal(verdict_of_code(&call, "-32000").outcome, OUTCOME_RETRY);
    assert_int_equal(verdict_of_code(&call, "-32000").refusal, REFUSAL_SURE);
    assert_int_equal(verdict_of_code(&call, "7").outcome, OUTCOME_RETRY);
    assert_int_equal(verdict_of_code(&call, "7").refusal, REFUSAL_UNSURE);
    assert_null(answer_failure(&call, fine));
    free(code);
    json_decref(failed);
    json_decref(fine);
    json_decref(settings);
}

static void what_stands_where_failures_are_told_and_says_nothing_is_no_failure(void **state)
{
    static const char *const fine[] = { "{'error':''}", "{'error':[]}", "{'error':{}}", "{'error':0}", "{'error':'False'}", "{'error':false}" };
    json_t *settings = json("{'requests':{'update':{}},'result':{'failure':'/error'}}");
    struct call call = call_with(settings, CALL_UPDATE);

    (void)state;
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        json_t *document = json(fine[i]);
        cleanup_free char *code = answer_failure(&call, document);
        if (code != NULL)
            fail_msg("%s", fine[i]);
        json_decref(document);
    }
    json_decref(settings);
}

static void an_empty_message_does_not_hide_the_next_one(void **state)
{
    json_t *settings = json("{'requests':{'update':{}},'result':{'error':'/fault'}}");
    json_t *spring = json("{'status':500,'error':'Internal Server Error','message':''}"), *own = json("{'fault':'own','message':'other'}");
    struct call call = call_with(settings, CALL_UPDATE);

    (void)state;
    assert_string_equal(json_string_value(answer_message(&call, spring)), "Internal Server Error");
    assert_string_equal(json_string_value(answer_message(&call, own)), "own");
    json_decref(spring);
    json_decref(own);
    json_decref(settings);
}

/* ---- pages ---- */

static void the_next_page_is_found_in_a_link_header(void **state)
{
    static const struct {
        const char *header, *next;
    } rows[] = {
        { "<https://h/e?page=2>; rel=\"next\"", "https://h/e?page=2" },
        { "<https://h/e?page=1>; rel=\"prev\", <https://h/e?page=3>; rel=\"next\"", "https://h/e?page=3" },
        { "<https://h/e?a=1,2>; rel=next", "https://h/e?a=1,2" },
        { "<https://h/e>; title=\"x; rel=next, <y>\"; rel=\"last\"", NULL },
        { "<https://h/e>; title=\"a,b\"; rel=\"last next\"", "https://h/e" },
        { "</e?page=2>;REL=\"Next\"", "/e?page=2" },
        { "<https://h/e>; rel=\"nextish\"", NULL },
        { "<https://h/e; rel=\"next\"", NULL },
        { "<>", NULL },
        { "", NULL },
        { "<a>; rel=", NULL },
        { "<a>; rel=\"", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *next = pages_link_next(rows[i].header);
        if (!str_equal(next, rows[i].next))
            fail_msg("%s: %s", rows[i].header, next != NULL ? next : "none");
    }
    assert_null(pages_link_next(NULL));
}

static void a_next_page_on_another_server_is_not_followed(void **state)
{
    static const struct {
        const char *reference, *url;
    } rows[] = {
        { "/api/e?page=2", "https://h:8443/api/e?page=2" },
        { "?page=2", "https://h:8443/api/e?page=2" },
        { "https://h:8443/x", "https://h:8443/x" },
        { "https://h/x", NULL },
        { "https://evil.example/x", NULL },
        { "http://h:8443/x", NULL },
        { "//evil.example/x", NULL },
        { "https://h:8443@evil.example/", NULL },
        { "javascript:alert(1)", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *url = NULL;
        struct error error = { 0 };
        int code = pages_resolve("https://h:8443/api/e?page=1", rows[i].reference, &url, &error);
        if (rows[i].url == NULL ? code == 0 : !str_equal(url, rows[i].url))
            fail_msg("%s: %s", rows[i].reference, url != NULL ? url : error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pointers_of_the_rfc_lead_where_it_says),
        cmocka_unit_test(what_is_missing_on_the_way_is_made),
        cmocka_unit_test(an_object_may_have_more_and_a_list_may_not),
        cmocka_unit_test(a_boolean_of_the_mapping_fits_each_of_its_spellings),
        cmocka_unit_test(only_real_differences_are_differences),
        cmocka_unit_test(an_object_has_every_attribute_at_its_pointer),
        cmocka_unit_test(a_document_keeps_what_the_mapping_does_not_name),
        cmocka_unit_test(changes_are_whole_values_and_null_for_what_goes),
        cmocka_unit_test(a_merge_patch_has_only_the_members_that_differ),
        cmocka_unit_test(a_member_that_shall_go_is_taken_out_in_every_form),
        cmocka_unit_test(a_merge_patch_into_a_list_carries_the_whole_list),
        cmocka_unit_test(a_json_patch_adds_replaces_and_removes_with_escaped_paths),
        cmocka_unit_test(a_json_patch_makes_missing_parents_once),
        cmocka_unit_test(a_scim_patch_names_attributes_by_their_paths),
        cmocka_unit_test(a_schema_by_itself_is_no_path),
        cmocka_unit_test(a_member_cannot_break_out_of_a_scim_filter),
        cmocka_unit_test(a_request_is_made_as_the_mapping_says),
        cmocka_unit_test(methods_and_bodies_have_the_defaults_that_the_manual_says),
        cmocka_unit_test(no_path_leads_out_of_its_place),
        cmocka_unit_test(a_header_with_a_line_end_is_refused),
        cmocka_unit_test(a_form_is_a_form),
        cmocka_unit_test(what_is_no_json_is_said_to_be_none),
        cmocka_unit_test(a_list_of_another_type_is_never_nobody),
        cmocka_unit_test(an_id_is_a_text_or_a_whole_number),
        cmocka_unit_test(disabled_is_read_where_the_mapping_says),
        cmocka_unit_test(a_stranger_is_not_meant),
        cmocka_unit_test(a_hit_of_another_type_is_never_somebody_else),
        cmocka_unit_test(every_status_has_exactly_one_outcome_for_each_call_and_tells_whose_refusal_it_is),
        cmocka_unit_test(a_status_that_a_gateway_gives_leaves_open_what_is_done_behind_it),
        cmocka_unit_test(a_refusal_that_asks_to_wait_is_a_rate_limit_whatever_its_status),
        cmocka_unit_test(a_failure_that_asks_to_wait_stays_one_that_may_be_the_target_s),
        cmocka_unit_test(a_used_up_quota_is_a_rate_limit_where_the_status_says_nothing_better),
        cmocka_unit_test(no_status_has_two_rows_and_each_row_speaks),
        cmocka_unit_test(a_request_s_outcome_comes_before_the_target_s_and_is_sure),
        cmocka_unit_test(a_code_within_a_success_has_its_outcome),
        cmocka_unit_test(what_stands_where_failures_are_told_and_says_nothing_is_no_failure),
        cmocka_unit_test(an_empty_message_does_not_hide_the_next_one),
        cmocka_unit_test(the_next_page_is_found_in_a_link_header),
        cmocka_unit_test(a_next_page_on_another_server_is_not_followed),
    };
    return cmocka_run_group_tests_name("rest parts", tests, NULL, NULL);
}
