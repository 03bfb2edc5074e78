/* Listings, groups and JSON-RPC at a small server of our own, which divides one list of seven in every way that APIs do. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <microhttpd.h>
#include <netinet/in.h>

#include "base/str.h"
#include "tests/support/rest_world.h"
#include "tests/support/settings.h"

#define ITEMS 7
#define TEXT(literal) ((char *)(uintptr_t)(literal))

static const struct connector_ops *ops;
static void *target;
static struct connector_shared *shared;
static struct connector_session *session;
static struct receipt receipt;
static struct MHD_Daemon *daemon_;
static char *url;

/* ---- the server ---- */

/* What is kept of a request while its body comes. */
struct taken {
    struct buf body;
};

static struct buf last_body; /* of the last request that had one */
static char last_line[256];
static int asked;

static long long argument(struct MHD_Connection *connection, const char *name, long long fallback)
{
    const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);

    return text != NULL ? strtoll(text, NULL, 10) : fallback;
}

/* Items from `from` on, at most `count`. */
static json_t *slice(long long from, long long count)
{
    json_t *list = json_array();

    for (long long i = from; i < from + count && i < ITEMS; i++)
        json_array_append_new(list, json_pack("{s:I,s:s}", "id", (json_int_t)i, "name", "X"));
    return list;
}

struct page {
    json_t *body;
    char *link; /* NULL: none */
};

static struct page by_link(struct MHD_Connection *connection)
{
    long long from = argument(connection, "from", 0);

    return (struct page){ slice(from, 3),
                          from + 3 < ITEMS
                              ? str_printf("</api/link?from=0>; rel=\"first\", </api/link?from=%lld>; rel=\"next\"", from + 3)
                              : NULL };
}

static struct page by_page(struct MHD_Connection *connection)
{
    long long page = argument(connection, "page", 1), size = argument(connection, "size", 3);

    return (struct page){ json_pack("{s:o}", "items", slice((page - 1) * size, size)), NULL };
}

/* Gives no more than two, whatever is asked for. */
static struct page by_offset(struct MHD_Connection *connection)
{
    long long from = argument(connection, "startIndex", 1) - 1;

    return (struct page){ json_pack("{s:i,s:o}", "totalResults", ITEMS, "Resources", slice(from, 2)), NULL };
}

static struct page by_url(struct MHD_Connection *connection)
{
    long long from = argument(connection, "from", 0);
    cleanup_free char *next = from + 4 < ITEMS ? str_printf("%s/url?from=%lld", url, from + 4) : NULL;

    return (struct page){ json_pack("{s:o,s:s?}", "items", slice(from, 4), "next", next), NULL };
}

static struct page in_a_circle(struct MHD_Connection *connection)
{
    long long cursor = argument(connection, "cursor", 0);

    return (struct page){ json_pack("{s:o,s:s}", "items", json_array(), "next", cursor == 1 ? "2" : "1"), NULL };
}

/* Takes no notice of what page is asked for; the next cursor is always a new one. */
static struct page always_the_same(struct MHD_Connection *connection)
{
    (void)connection;
    return (struct page){ json_pack("{s:o,s:I}", "items", slice(0, 2), "next", (json_int_t)asked), NULL };
}

static struct page empty_for_ever(struct MHD_Connection *connection)
{
    (void)connection;
    return (struct page){ json_pack("{s:[],s:I}", "items", "next", (json_int_t)asked), NULL };
}

static struct page strangers_for_ever(struct MHD_Connection *connection)
{
    (void)connection;
    return (struct page){ json_pack("{s:[{s:i,s:s}],s:I}", "items", "id", asked, "name", "X", "next", (json_int_t)asked), NULL };
}

static struct page elsewhere(struct MHD_Connection *connection)
{
    (void)connection;
    return (struct page){ json_pack("{s:o,s:s}", "items", slice(0, 1), "next", "https://evil.example/list"), NULL };
}

static struct page with_a_double(struct MHD_Connection *connection)
{
    (void)connection;
    return (struct page){ json_pack("{s:[{s:i},{s:i},{s:i}]}", "items", "id", 4, "id", 5, "id", 4), NULL };
}

/* SCIM leaves Resources out where there are none. */
static struct page nothing(struct MHD_Connection *connection)
{
    (void)connection;
    return (struct page){ json_pack("{s:i}", "totalResults", 0), NULL };
}

/* {"method": "get", "params": {"id": 7}}; knows one user, 7. */
static struct page rpc(struct MHD_Connection *connection)
{
    json_t *call = json_loads(last_body.bytes, 0, NULL);
    const char *id = json_string_value(json_object_get(json_object_get(call, "params"), "id"));
    bool known = str_equal(id, "7");

    (void)connection;
    json_t *answer =
        known ? json_pack("{s:{s:s,s:s},s:n}", "result", "id", "7", "name", "Ann", "error")
              : json_pack("{s:{s:i,s:s}}", "error", "code", str_equal(id, "8") ? -32004 : -32000, "message", "No such user");
    json_decref(call);
    return (struct page){ answer, NULL };
}

static struct page member(struct MHD_Connection *connection)
{
    (void)connection;
    return (struct page){ json_object(), NULL };
}

static bool obeys; /* a change of /api/people/5 is made, and not only answered so */
static const char *active;

/* Spells booleans in its own way, and answers each change with what it has. */
static struct page person(struct MHD_Connection *connection)
{
    (void)connection;
    if (obeys && strncmp(last_line, "PATCH", 5) == 0)
        active = strstr(last_body.bytes, "false") != NULL ? "False" : "True";
    return (struct page){ json_pack("{s:s,s:s}", "id", "5", "active", active), NULL };
}

static const char *said, *said_link; /* what /api/said answers */
static const char *said_to_patch;    /* and to a PATCH; NULL: nothing, 204 */
static const char *said_later;       /* and after it; NULL: the same as before */

static struct page say(struct MHD_Connection *connection)
{
    (void)connection;
    if (strncmp(last_line, "PATCH", 5) == 0) {
        said = said_later != NULL ? said_later : said;
        return (struct page){ said_to_patch != NULL ? rest_json(said_to_patch) : NULL, NULL };
    }
    return (struct page){ rest_json(said), str_dup(said_link) };
}

static const struct {
    const char *path;
    struct page (*make)(struct MHD_Connection *connection);
} routes[] = {
    { "/api/link", by_link },         { "/api/page", by_page },       { "/api/offset", by_offset },
    { "/api/url", by_url },           { "/api/circle", in_a_circle }, { "/api/elsewhere", elsewhere },
    { "/api/double", with_a_double }, { "/api/nothing", nothing },    { "/api/rpc", rpc },
    { "/api/Groups/9", member },      { "/api/same", always_the_same }, { "/api/empty", empty_for_ever },
    { "/api/strangers", strangers_for_ever }, { "/api/people/5", person },
    { "/api/said", say },
};

static enum MHD_Result answer(struct MHD_Connection *connection, struct page page, unsigned status)
{
    char *text = page.body != NULL ? json_dumps(page.body, JSON_COMPACT) : strdup("");
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);

    MHD_add_response_header(response, "Content-Type", "application/json");
    if (page.link != NULL)
        MHD_add_response_header(response, "Link", page.link);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    json_decref(page.body);
    free(page.link);
    return result;
}

static enum MHD_Result answer_with(struct MHD_Connection *connection, struct page page)
{
    return answer(connection, page, page.body != NULL ? 200 : 204);
}

static enum MHD_Result serve(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                             const char *version, const char *body, size_t *body_bytes, void **state)
{
    struct taken *taken = *state;

    (void)arg, (void)version;
    if (taken == NULL) {
        *state = calloc(1, sizeof(struct taken));
        return MHD_YES;
    }
    if (*body_bytes > 0) {
        buf_add(&taken->body, body, *body_bytes);
        *body_bytes = 0;
        return MHD_YES;
    }
    asked++;
    snprintf(last_line, sizeof(last_line), "%s %s", method, path);
    buf_reset(&last_body);
    buf_add(&last_body, taken->body.bytes, taken->body.length);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(routes[i].path, path) == 0)
            return answer_with(connection, routes[i].make(connection));
    return answer(connection, (struct page){ json_pack("{s:s}", "detail", "no such path"), NULL }, 404);
}

static void served(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    struct taken *taken = *state;

    (void)arg, (void)connection, (void)code;
    if (taken != NULL)
        buf_free(&taken->body);
    free(taken);
}

/* ---- a session ---- */

static int start(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };

    (void)state;
    daemon_ = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, serve, NULL, MHD_OPTION_SOCK_ADDR, &address,
                               MHD_OPTION_NOTIFY_COMPLETED, served, NULL, MHD_OPTION_END);
    assert_non_null(daemon_);
    url = str_printf("http://127.0.0.1:%u/api", MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT)->port);
    cleanup_free char *text = str_printf("url = \"%s\"; timeout = \"5 s\";", url);
    target = settings_make(ops, text);
    assert_int_equal(ops->share(target, &shared, NULL), 0);
    assert_int_equal(ops->open(target, shared, &session, &receipt), OUTCOME_APPLIED);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    ops->close(session);
    ops->unshare(shared);
    settings_free(ops, target);
    receipt_clear(&receipt);
    MHD_stop_daemon(daemon_);
    buf_free(&last_body);
    free(url);
    return 0;
}

#define assert_outcome(seen, wanted)                                                                                             \
    do {                                                                                                                         \
        enum outcome seen_ = (seen);                                                                                             \
        if (seen_ != OUTCOME_##wanted)                                                                                           \
            fail_msg("%s instead of %s: %s", outcome_name(seen_), outcome_name(OUTCOME_##wanted),                                \
                     receipt.reason != NULL ? receipt.reason : "");                                                              \
    } while (0)

static void assert_reason(const char *part)
{
    if (receipt.reason == NULL || strstr(receipt.reason, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, receipt.reason != NULL ? receipt.reason : "nothing");
}

static int take_key(const struct account *account, void *arg)
{
    buf_printf(arg, "%s ", account->key);
    return 0;
}

/* Lists with this request; the keys, each with a space after it, into `keys`. */
static enum outcome list(const char *request, struct buf *keys)
{
    cleanup_free char *text = str_printf("{'requests':{'list':%s}}", request);
    json_t *settings = rest_json(text);
    struct account_query query = { .settings = settings };

    buf_add_str(keys, "");
    enum outcome outcome = ops->list(session, &query, take_key, keys, &receipt);
    json_decref(settings);
    return outcome;
}

static void each_way_to_divide_a_list_gives_all_of_it(void **state)
{
    static const char *const requests[] = {
        "{'path':'/link','items':'','next':{'by':'link_header'}}",
        "{'path':'/page','items':'/items','next':{'by':'page','parameter':'page'}}",
        "{'path':'/page','items':'/items','query':{'page':99,'size':1},'next':{'by':'page','parameter':'page','size_parameter':'size','size':5}}",
        "{'path':'/offset','items':'/Resources','next':{'by':'offset','parameter':'startIndex','first':1,'total':'/totalResults'}}",
        "{'path':'/offset','items':'/Resources','next':{'by':'offset','parameter':'startIndex','first':1,"
        "'size_parameter':'count','size':100}}",
        "{'path':'/url','items':'/items','next':{'by':'next_url','pointer':'/next'}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        cleanup_buf struct buf keys = { 0 };
        assert_outcome(list(requests[i], &keys), APPLIED);
        assert_string_equal(keys.bytes, "0 1 2 3 4 5 6 ");
    }
}

static void a_total_saves_the_last_request(void **state)
{
    cleanup_buf struct buf keys = { 0 };

    (void)state;
    asked = 0;
    assert_outcome(
        list(
            "{'path':'/offset','items':'/Resources','next':{'by':'offset','parameter':'startIndex','first':1,'total':'/totalResults'}}",
            &keys),
        APPLIED);
    assert_int_equal(asked, 4);
}

static void a_listing_that_turns_in_a_circle_ends(void **state)
{
    cleanup_buf struct buf keys = { 0 };

    (void)state;
    asked = 0;
    assert_outcome(
        list("{'path':'/circle','items':'/items','next':{'by':'cursor','parameter':'cursor','pointer':'/next'}}", &keys),
        REJECTED);
    assert_reason("the page \"1\" was there before");
    assert_true(asked <= 4);
}

/* Looks for somebody named Ann with one request. */
static enum outcome look_for_ann(const char *request)
{
    cleanup_free char *text = str_printf("{'requests':{'match':[%s]}}", request);
    json_t *settings = rest_json(text);
    struct account_query query = { .settings = settings };
    struct account account = { 0 };
    enum outcome outcome = ops->read(session, &query, &account, &receipt);

    account_clear(&account);
    json_decref(settings);
    return outcome;
}

static void looking_for_somebody_has_an_end_whatever_the_target_answers(void **state)
{
#define LOOK(path) "{'path':'" path "','items':'/items','where':{'name':'Ann'},'next':{'by':'cursor','parameter':'c','pointer':'/next'}}"
    (void)state;
    asked = 0;
    assert_outcome(look_for_ann(LOOK("/same")), REJECTED);
    assert_reason("GET /same: 200: the page has the same items as the one before it: the target takes no notice of the parameter \"c\"");
    assert_outcome(look_for_ann("{'path':'/same','items':'/items','where':{'name':'Ann'},'next':{'by':'page','parameter':'p'}}"), REJECTED);
    assert_reason("the parameter \"p\"");
    assert_int_equal(asked, 4);
    assert_outcome(look_for_ann(LOOK("/empty")), REJECTED);
    assert_reason("pages in a row are empty");
    assert_true(asked < 120);
    assert_outcome(look_for_ann(LOOK("/strangers")), REJECTED);
    assert_reason("more than 20 pages: let its query select");
#undef LOOK
}

#define BOB "{'id':2,'name':'Bob'}"
#define BOBS BOB "," BOB "," BOB "," BOB "," BOB "," BOB "," BOB "," BOB "," BOB

/* Nobody who fits is there; is it known that there is none? */
static void others_than_were_asked_for_are_no_nobody_where_more_may_follow(void **state)
{
    static const struct {
        const char *items, *said, *link;
        enum outcome outcome;
    } rows[] = {
        { "", "[]", NULL, OUTCOME_GONE },
        { "", "[" BOB "]", NULL, OUTCOME_GONE },
        { "", "[" BOBS "]", NULL, OUTCOME_GONE },
        { "", "[" BOBS "," BOB "]", NULL, OUTCOME_REJECTED }, /* ten, and nothing says that these are all */
        { "", "[" BOB "]", "</api/said?page=2>; rel=\"next\"", OUTCOME_REJECTED },
        { "", "[" BOB "]", "</api/said?page=1>; rel=\"first\"", OUTCOME_GONE },
        { "", "[{'id':1,'name':'Ann'}," BOB "]", "</api/said?page=2>; rel=\"next\"", OUTCOME_APPLIED },
        { "/i", "{'i':[" BOB "],'totalResults':1}", NULL, OUTCOME_GONE },
        { "/i", "{'i':[" BOB "],'totalResults':151}", NULL, OUTCOME_REJECTED },
        { "/i", "{'i':[" BOB "],'total':2}", NULL, OUTCOME_REJECTED },
        { "/i", "{'i':[" BOB "],'meta':{'total':2}}", NULL, OUTCOME_REJECTED },
        { "/i", "{'i':[" BOB "],'next':'abc'}", NULL, OUTCOME_REJECTED },
        { "/i", "{'i':[" BOB "],'next':null,'has_more':false}", NULL, OUTCOME_GONE },
        { "/i", "{'i':[" BOB "],'has_more':true}", NULL, OUTCOME_REJECTED },
        { "/i", "{'i':[" BOB "],'@odata.nextLink':'https://x'}", NULL, OUTCOME_REJECTED },
        { "/i", "{'i':[],'total':151}", NULL, OUTCOME_GONE }, /* of all that there are none was found */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *request = str_printf("{'path':'/said','items':'%s','where':{'name':'Ann'}}", rows[i].items);
        said = rows[i].said;
        said_link = rows[i].link;
        enum outcome outcome = look_for_ann(request);
        if (outcome != rows[i].outcome)
            fail_msg("%s: %s, %s", rows[i].said, outcome_name(outcome), receipt.reason != NULL ? receipt.reason : "");
        if (outcome == OUTCOME_REJECTED)
            assert_reason("the target takes no notice of the query");
    }
}

static void what_cannot_be_looked_for_in_one_way_is_looked_for_in_the_next(void **state)
{
#define IGNORED "{'path':'/said','items':'','where':{'name':'Ann'}}"
#define FINDS(path, id) "{'path':'" path "','items':'','where':{'name':'X','id':" id "},'next':{'by':'link_header'}}"
    (void)state;
    said = "[" BOB "]";
    said_link = "</api/said?page=2>; rel=\"next\"";
    assert_outcome(look_for_ann(IGNORED "," FINDS("/link", "3")), APPLIED);
    assert_outcome(look_for_ann(IGNORED "," IGNORED "," FINDS("/link", "99")), REJECTED);
    assert_reason("GET /said: none of the 1 found is the one");
    assert_outcome(look_for_ann(IGNORED "," FINDS("/nowhere", "3")), RETRY);
#undef IGNORED
#undef FINDS
}

static void a_next_page_on_another_server_is_not_asked_for(void **state)
{
    cleanup_buf struct buf keys = { 0 };

    (void)state;
    assert_outcome(list("{'path':'/elsewhere','items':'/items','next':{'by':'next_url','pointer':'/next'}}", &keys), REJECTED);
    assert_reason("the next page is on another server, https://evil.example, where nothing is sent to");
}

static void an_id_that_comes_twice_in_a_listing_is_named(void **state)
{
    cleanup_buf struct buf keys = { 0 };

    (void)state;
    assert_outcome(list("{'path':'/double','items':'/items'}", &keys), REJECTED);
    assert_reason("GET /double: ");
    assert_reason("the id \"4\" twice");
}

static void no_resources_of_none_at_all_is_an_empty_list(void **state)
{
    cleanup_buf struct buf keys = { 0 };

    (void)state;
    assert_outcome(
        list(
            "{'path':'/nothing','items':'/Resources','next':{'by':'offset','parameter':'startIndex','first':1,'total':'/totalResults'}}",
            &keys),
        APPLIED);
    assert_string_equal(keys.bytes, "");
    assert_outcome(list("{'path':'/nothing','items':'/Resources'}", &keys), RETRY);
    assert_int_equal(receipt.refusal, REFUSAL_UNSURE);
}

static void a_list_that_is_not_found_is_no_empty_one(void **state)
{
    cleanup_buf struct buf keys = { 0 };

    (void)state;
    assert_outcome(list("{'path':'/nowhere','items':''}", &keys), RETRY);
    assert_int_equal(receipt.refusal, REFUSAL_UNSURE); /* of the path, or of an API that is not there */
    assert_reason("GET /nowhere: 404 Not Found");
    assert_reason("no such path");
}

static void the_groups_of_a_member_are_told(void **state)
{
    json_t *settings = rest_json("{'requests':{'groups_of':{'path':'/link','items':'','next':{'by':'link_header'}}}}"),
           *groups = NULL;

    (void)state;
    assert_outcome(ops->read_groups(session, &(struct group_query){ "members", "7", NULL, settings }, &groups, &receipt), APPLIED);
    assert_int_equal(json_array_size(groups), ITEMS);
    assert_string_equal(json_string_value(json_object_get(json_array_get(groups, 6), "key")), "6");
    json_decref(groups);
    json_decref(settings);
}

/* Who is in which group, by what the target shows; member 7 is in group 1. */
static void what_a_target_does_not_show_of_groups_is_not_taken_for_none(void **state)
{
    static const struct {
        const char *query, *said, *link; /* the second request for groups; query: of it */
        enum outcome outcome;
        bool partial;
        const char *groups;
    } rows[] = {
        { "{}", "{'i':[]}", NULL, OUTCOME_APPLIED, false, "[]" },
        { "{}", "{'id':7}", NULL, OUTCOME_APPLIED, true, "[]" }, /* not shown here, either */
        { "{}", "[1]", NULL, OUTCOME_RETRY, false, NULL },
        { "{}", "{'i':{}}", NULL, OUTCOME_RETRY, false, NULL },
        { "{'q':'7'}", "{'i':[{'id':1,'members':[{'value':'7'},{'value':'8'}]}]}", NULL, OUTCOME_APPLIED, false, "['1']" },
        { "{'q':'7'}", "{'i':[{'id':1,'members':[7]},{'id':2,'members':[8]},{'id':3,'members':[]}]}", NULL, OUTCOME_APPLIED, false, "['1']" },
        { "{'q':'7'}", "{'i':[{'id':1}]}", NULL, OUTCOME_APPLIED, true, "[]" }, /* of whom is it a group? */
        { "{'q':'7'}", "{'i':[{'id':2,'members':[8]}]}", "</api/said?page=2>; rel=\"next\"", OUTCOME_APPLIED, true, "[]" },
        { "{'q':'7'}", "{'i':[],'totalResults':0}", NULL, OUTCOME_APPLIED, false, "[]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cleanup_free char *text = str_printf("{'requests':{'groups_of':[{'path':'/nothing','items':'/groups'},"
                                             "{'path':'/said','items':'/i'%s%s}]}}", rows[i].query[1] == '}' ? "" : ",'query':",
                                             rows[i].query[1] == '}' ? "" : rows[i].query);
        json_t *settings = rest_json(text), *groups = NULL, *keys = json_array();
        size_t k;
        json_t *group;
        said = rows[i].said;
        said_link = rows[i].link;
        receipt_clear(&receipt);
        enum outcome outcome = ops->read_groups(session, &(struct group_query){ "members", "7", NULL, settings }, &groups, &receipt);
        json_array_foreach (groups, k, group)
            json_array_append(keys, json_object_get(group, "key"));
        json_t *wanted = rows[i].groups != NULL ? rest_json(rows[i].groups) : json_array();
        if (outcome != rows[i].outcome || receipt.partial != rows[i].partial || !json_equal(keys, wanted))
            fail_msg("%s: %s, %d: %s", rows[i].said, outcome_name(outcome), receipt.partial, receipt.reason != NULL ? receipt.reason : "");
        json_decref(wanted);
        json_decref(keys);
        json_decref(groups);
        json_decref(settings);
    }
}

static void groups_are_shown_by_the_second_request_though_the_first_shows_no_members(void **state)
{
    json_t *groups = NULL, *settings = rest_json("{'requests':{'groups_of':[{'path':'/said','items':'/i','query':{'q':'7'}},"
                                                 "{'path':'/link','items':'','next':{'by':'link_header'}}]}}");

    (void)state;
    said = "{'i':[{'id':1}]}";
    said_link = NULL;
    receipt_clear(&receipt);
    assert_outcome(ops->read_groups(session, &(struct group_query){ "members", "7", NULL, settings }, &groups, &receipt), APPLIED);
    assert_false(receipt.partial);
    assert_int_equal(json_array_size(groups), ITEMS);
    json_decref(groups);
    json_decref(settings);
}

static void a_member_comes_and_goes_by_scim(void **state)
{
    struct operation operation = { .kind = OPERATION_MEMBER_ADD,
                                   .group = true,
                                   .key = TEXT("9"),
                                   .attribute = TEXT("members"),
                                   .value = TEXT("7"),
                                   .settings = rest_json("{'requests':{'member_add':{'path':'/Groups/9','send':'scim_patch'},"
                                                         "'member_remove':{'path':'/Groups/9','send':'scim_patch'}}}") };

    (void)state;
    assert_outcome(ops->apply(session, &operation, NULL, &receipt), APPLIED);
    assert_string_equal(last_line, "PATCH /api/Groups/9");
    assert_non_null(strstr(last_body.bytes, "\"op\":\"add\",\"path\":\"members\",\"value\":[{\"value\":\"7\"}]"));
    operation.kind = OPERATION_MEMBER_REMOVE;
    assert_outcome(ops->apply(session, &operation, NULL, &receipt), APPLIED);
    assert_non_null(strstr(last_body.bytes, "\"op\":\"remove\",\"path\":\"members[value eq \\\"7\\\"]\""));
    json_decref(operation.settings);
}

/* Before it, as the answer to it (NULL: 204), and as it is read afterwards (NULL: as before). */
struct shown {
    const char *before, *answered, *later;
    enum outcome outcome;
    const char *said; /* a part of the reason or note; NULL: none */
};

static void expect_shown(const struct shown *row, struct operation *operation)
{
    said_link = NULL;
    said = row->before;
    said_to_patch = row->answered;
    said_later = row->later;
    receipt_clear(&receipt);
    enum outcome outcome = ops->apply(session, operation, NULL, &receipt);
    const char *words = receipt.note != NULL ? receipt.note : receipt.reason;
    if (outcome != row->outcome || (words == NULL) != (row->said == NULL) || (words != NULL && strstr(words, row->said) == NULL))
        fail_msg("%s, %s: %s: %s", row->before, row->answered != NULL ? row->answered : "204", outcome_name(outcome), words != NULL ? words : "");
    if (outcome == OUTCOME_RETRY && receipt.refusal != REFUSAL_SURE)
        fail_msg("%s: not of this record", row->before);
}

#define HAS "{'id':'9','members':[{'value':'7'},{'value':'8'}]}"
#define LACKS "{'id':'9','members':[{'value':'8'}]}"
#define BARE "{'id':'9'}"

static void a_removal_counts_when_the_member_is_not_seen_any_more(void **state)
{
    static const struct shown rows[] = {
        { HAS, LACKS, LACKS, OUTCOME_APPLIED, NULL },
        { HAS, NULL, LACKS, OUTCOME_APPLIED, NULL },
        { HAS, NULL, NULL, OUTCOME_RETRY, "204, but read again the group still has the member" },
        { HAS, HAS, NULL, OUTCOME_RETRY, "200, but read again the group still has the member" },
        { HAS, HAS, LACKS, OUTCOME_APPLIED, NULL }, /* it answered with an old copy */
        { HAS, "{'ok':true}", NULL, OUTCOME_RETRY, "still has the member" },
        { HAS, "{'id':'8','members':[]}", NULL, OUTCOME_RETRY, "still has the member" }, /* of another group */
        { "{'id':'9','members':['7']}", NULL, NULL, OUTCOME_RETRY, "still has the member" },
        { "{'id':'9','members':[{'id':7}]}", NULL, NULL, OUTCOME_RETRY, "still has the member" },
        { BARE, NULL, NULL, OUTCOME_APPLIED, "whether the member is out was not seen: the group does not show its members" },
    };
    struct operation operation = { .kind = OPERATION_MEMBER_REMOVE, .group = true, .key = TEXT("9"), .attribute = TEXT("members"),
                                   .value = TEXT("7"), .settings = rest_json("{'requests':{'read':{'path':'/said'},"
                                                                             "'member_remove':{'path':'/said','send':'scim_patch'}}}") };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_shown(&rows[i], &operation);
    json_decref(operation.settings);
}

static void an_addition_is_believed_where_nothing_shows_the_contrary(void **state)
{
    static const struct shown rows[] = {
        { LACKS, HAS, HAS, OUTCOME_APPLIED, NULL },
        { LACKS, NULL, NULL, OUTCOME_APPLIED, NULL },
        { LACKS, LACKS, HAS, OUTCOME_APPLIED, NULL },
        { LACKS, LACKS, NULL, OUTCOME_RETRY, "200, but read again the group does not have the member" },
        { LACKS, BARE, NULL, OUTCOME_APPLIED, NULL },
    };
    struct operation operation = { .kind = OPERATION_MEMBER_ADD, .group = true, .key = TEXT("9"), .attribute = TEXT("members"),
                                   .value = TEXT("7"), .settings = rest_json("{'requests':{'read':{'path':'/said'},"
                                                                             "'member_add':{'path':'/said','send':'scim_patch'}}}") };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_shown(&rows[i], &operation);
    json_decref(operation.settings);
}

/* Puts `wanted` (NULL: nothing) where "v" is. */
static void expect_updated(const struct shown *row, const char *wanted)
{
    struct change change = { wanted != NULL ? CHANGE_REPLACE : CHANGE_DELETE, TEXT("v"), wanted != NULL ? rest_json(wanted) : NULL };
    struct operation operation = { .kind = OPERATION_UPDATE, .key = TEXT("5"), .changes = &change, .change_count = 1, .values = json_object(),
                                   .settings = rest_json("{'requests':{'read':{'path':'/said'},'update':{'path':'/said','send':'merge_patch'}}}") };

    expect_shown(row, &operation);
    json_decref(change.values);
    json_decref(operation.values);
    json_decref(operation.settings);
}

#define V(value) "{'id':5,'v':" value "}"
#define IGNORED "200, but read again \"v\" is still as it was"

static void an_update_that_is_shown_as_ignored_is_not_believed(void **state)
{
    static const struct {
        const char *wanted;
        struct shown shown;
    } rows[] = {
        { "'Sales'", { V("'Tools'"), V("'Sales'"), V("'Sales'"), OUTCOME_APPLIED, NULL } },
        { "'Sales'", { V("'Tools'"), V("'Tools'"), NULL, OUTCOME_RETRY, IGNORED } },
        { "'Sales'", { V("'Tools'"), V("'Tools'"), V("'Sales'"), OUTCOME_APPLIED, NULL } }, /* an old copy */
        { "'Sales'", { V("'Tools'"), "{'id':6,'v':'Tools'}", NULL, OUTCOME_APPLIED, NULL } }, /* of somebody else */
        { "'Sales'", { V("'Tools'"), "{'id':5}", NULL, OUTCOME_APPLIED, NULL } },
        { "'Sales'", { V("'Tools'"), NULL, NULL, OUTCOME_APPLIED, NULL } },
        { "'Sales'", { V("'Tools'"), V("'S-12'"), NULL, OUTCOME_APPLIED, NULL } }, /* it makes something of it */
        { NULL, { V("'Tools'"), V("'Tools'"), NULL, OUTCOME_RETRY, IGNORED } },
        { NULL, { V("'Tools'"), V("null"), NULL, OUTCOME_APPLIED, NULL } },
        { NULL, { V("'Tools'"), V("''"), NULL, OUTCOME_APPLIED, NULL } },
        { "4", { V("3"), V("3"), NULL, OUTCOME_RETRY, IGNORED } },
        { "true", { V("false"), V("false"), NULL, OUTCOME_RETRY, IGNORED } },
        { "{'a':'x'}", { V("{'a':'y','b':1}"), V("{'a':'y','b':1}"), NULL, OUTCOME_RETRY, IGNORED } },
        /* in a form of its own, as it was already */
        { "'Ann@X'", { V("'ann@x'"), V("'ann@x'"), NULL, OUTCOME_APPLIED, NULL } },
        { "'+46 70 1'", { V("'+46701'"), V("'+46701'"), NULL, OUTCOME_APPLIED, NULL } },
        { "'2026-03-02'", { V("'2026-03-02T00:00:00Z'"), V("'2026-03-02T00:00:00Z'"), NULL, OUTCOME_APPLIED, NULL } },
        { "'a long title'", { V("'a long t'"), V("'a long t'"), NULL, OUTCOME_APPLIED, NULL } },
        { "['a']", { V("['b']"), V("['b']"), NULL, OUTCOME_APPLIED, NULL } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_updated(&rows[i].shown, rows[i].wanted);
}

static enum outcome rpc_read(const char *key, struct account *account)
{
    static const char *const names[] = { "name", NULL };
    cleanup_free char *text =
        str_printf("{'requests':{'read':{'method':'POST','path':'/rpc','body':{'method':'get','params':{'id':'%s'}}}},"
                   "'result':{'item':'/result','failure':'/error','code':'/error/code','error':'/error/message',"
                   "'codes':[{'code':'-32004','outcome':'gone'}]}}",
                   key);
    json_t *settings = rest_json(text);
    struct account_query query = { .key = key, .names = names, .settings = settings };
    enum outcome outcome = ops->read(session, &query, account, &receipt);

    json_decref(settings);
    return outcome;
}

static void a_failure_within_a_success_is_a_failure(void **state)
{
    struct account account = { 0 };

    (void)state;
    assert_outcome(rpc_read("7", &account), APPLIED);
    assert_string_equal(json_string_value(json_object_get(account.values, "name")), "Ann");
    account_clear(&account);
    assert_outcome(rpc_read("8", &account), GONE);
    assert_int_equal(receipt.refusal, REFUSAL_SURE);
    assert_outcome(rpc_read("9", &account), RETRY); /* a code that nobody named: to everybody, perhaps */
    assert_int_equal(receipt.refusal, REFUSAL_UNSURE);
    assert_reason("POST /rpc: answered 200, but with a failure of code -32000: \"No such user\"");
}

/* Disabled by an attribute, where nothing else tells: {"active": false}. */
static enum outcome set_active(enum operation_kind kind, bool wanted)
{
    struct change change = { CHANGE_REPLACE, TEXT("active"), json_boolean(wanted) };
    struct operation operation = { .kind = kind,
                                   .key = TEXT("5"),
                                   .values = rest_json("{}"),
                                   .changes = &change,
                                   .change_count = 1,
                                   .settings = rest_json("{'requests':{'read':{'path':'/people/5'},"
                                                         "'disable':{'path':'/people/5'},'enable':{'path':'/people/5'}}}") };
    enum outcome outcome = ops->apply(session, &operation, NULL, &receipt);

    json_decref(operation.settings);
    json_decref(operation.values);
    return outcome;
}

static void an_attribute_that_disables_is_held_against_the_answer_in_every_spelling(void **state)
{
    (void)state;
    active = "True", obeys = true;
    assert_outcome(set_active(OPERATION_DISABLE, false), APPLIED);
    assert_string_equal(active, "False");
    assert_outcome(set_active(OPERATION_DISABLE, false), UNCHANGED);
    obeys = false;
    assert_outcome(set_active(OPERATION_ENABLE, true), RETRY);
    assert_int_equal(receipt.refusal, REFUSAL_UNSURE);
    assert_reason("PATCH /people/5: 200, but read again the account is still disabled: nothing was done, or not yet");
}

int main(void)
{
    struct error error = { 0 };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_to_divide_a_list_gives_all_of_it),
        cmocka_unit_test(a_total_saves_the_last_request),
        cmocka_unit_test(a_listing_that_turns_in_a_circle_ends),
        cmocka_unit_test(looking_for_somebody_has_an_end_whatever_the_target_answers),
        cmocka_unit_test(others_than_were_asked_for_are_no_nobody_where_more_may_follow),
        cmocka_unit_test(what_cannot_be_looked_for_in_one_way_is_looked_for_in_the_next),
        cmocka_unit_test(a_next_page_on_another_server_is_not_asked_for),
        cmocka_unit_test(an_id_that_comes_twice_in_a_listing_is_named),
        cmocka_unit_test(no_resources_of_none_at_all_is_an_empty_list),
        cmocka_unit_test(a_list_that_is_not_found_is_no_empty_one),
        cmocka_unit_test(the_groups_of_a_member_are_told),
        cmocka_unit_test(groups_are_shown_by_the_second_request_though_the_first_shows_no_members),
        cmocka_unit_test(what_a_target_does_not_show_of_groups_is_not_taken_for_none),
        cmocka_unit_test(a_member_comes_and_goes_by_scim),
        cmocka_unit_test(a_removal_counts_when_the_member_is_not_seen_any_more),
        cmocka_unit_test(an_addition_is_believed_where_nothing_shows_the_contrary),
        cmocka_unit_test(an_update_that_is_shown_as_ignored_is_not_believed),
        cmocka_unit_test(a_failure_within_a_success_is_a_failure),
        cmocka_unit_test(an_attribute_that_disables_is_held_against_the_answer_in_every_spelling),
    };

    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    if (connector_load("rest", NULL, &ops, &error) < 0) {
        printf("Bail out! %s\n", error.text);
        return 1;
    }
    return cmocka_run_group_tests_name("rest pages", tests, start, stop) != 0;
}
