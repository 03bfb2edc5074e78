#include "connectors/rest/pages.h"

#include <strings.h>

#include "base/str.h"
#include "connectors/http/url.h"
#include "connectors/rest/answer.h"
#include "connectors/rest/pointer.h"
#include "connectors/rest/value.h"

const char *const next_names[] = {
#define X(code, name) [NEXT_##code] = name,
    NEXT_LIST(X)
#undef X
        [NEXT_COUNT] = NULL,
};

struct walk {
    struct connector_session *session;
    const struct call *call;
    pages_item *each;
    void *arg;
    struct receipt *receipt;
    enum next by;
    json_t *asked;     /* object: the pages so far, by what was asked for */
    char *url;         /* of the next page; NULL: the call's own path */
    char *position;    /* the cursor, page or offset to ask for; NULL: the first page by cursor */
    long long counted; /* items so far */
    size_t on_page;    /* items of the last page */
    json_t *last;      /* and themselves; NULL: none */
    size_t empty;      /* pages in a row without any */
    size_t filled;     /* pages with some, of all */
    bool absent;       /* a member's document has no list of groups */
    bool more;         /* than the one page that was asked for */
};

static const char *next_text(const struct walk *walk, const char *name)
{
    return json_string_value(json_object_get(walk->call->next, name));
}

static long long next_number(const struct walk *walk, const char *name, long long fallback)
{
    const json_t *number = json_object_get(walk->call->next, name);

    return json_is_integer(number) ? json_integer_value(number) : fallback;
}

/* ---- references to other pages ---- */

static const char *skip_quoted(const char *p)
{
    for (p++; *p != '\0' && *p != '"'; p++)
        if (*p == '\\' && p[1] != '\0')
            p++;
    return *p == '"' ? p + 1 : p;
}

/* Is one of the parameters between the target and the next comma rel=next? Moves on to that comma. */
static bool has_rel_next(const char **p)
{
    bool found = false;

    while (**p != '\0' && **p != ',') {
        const char *name = *p + strspn(*p, "; \t");
        const char *value = strncasecmp(name, "rel=", 4) == 0 ? name + 4 : NULL;
        const char *end = name;
        while (*end != '\0' && *end != ';' && *end != ',')
            end = *end == '"' ? skip_quoted(end) : end + 1;
        if (value != NULL) {
            value += *value == '"';
            for (size_t length; value < end && (length = strcspn(value, " \t\";,")) > 0; value += length + (value[length] == ' '))
                found = found || (length == 4 && strncasecmp(value, "next", 4) == 0);
        }
        *p = end > *p ? end : *p + 1;
    }
    return found;
}

char *pages_link_next(const char *header)
{
    for (const char *p = header; p != NULL && (p = strchr(p, '<')) != NULL;) {
        const char *end = strchr(++p, '>');
        if (end == NULL)
            return NULL;
        const char *parameters = end + 1;
        if (has_rel_next(&parameters))
            return strndup(p, (size_t)(end - p));
        p = parameters;
    }
    return NULL;
}

int pages_resolve(const char *from, const char *reference, char **ret_url, struct error *error)
{
    cleanup_free char *url = url_resolve(from, reference);
    struct url_parts parts = { 0 };

    if (url == NULL || !url_parse(url, &parts))
        return error_set(error, ERROR_INVALID, "what it names as the next page is no http address");
    bool same = url_same_origin(from, url);
    if (!same) /* no more of it is told: a secret that is cut in two is not found by the mask */
        error_set(error, ERROR_DENIED, "the next page is on another server, %.200s, where nothing is sent to", parts.origin);
    url_parts_clear(&parts);
    if (!same)
        return ERROR_DENIED;
    *ret_url = take_pointer(url);
    return 0;
}

/* ---- one page ---- */

static enum outcome fail(const struct walk *walk, const struct reply *reply, struct error *error)
{
    return session_say_unusable(walk->session, walk->call, reply, error, walk->receipt);
}

/* A listing that has no end: once more would be as long, and as many requests. */
static enum outcome refuse(const struct walk *walk, const struct reply *reply, struct error *error)
{
    fail(walk, reply, error);
    if (error->code != ERROR_NOMEM) {
        walk->receipt->outcome = OUTCOME_REJECTED;
        walk->receipt->refusal = REFUSAL_SURE;
    }
    return walk->receipt->outcome;
}

/* "first" page unless another is due; the size, where it is named. */
static void set_parameters(const struct walk *walk, char size[24], struct parameter parameters[3])
{
    const char *parameter = next_text(walk, "parameter"), *size_parameter = next_text(walk, "size_parameter");
    size_t count = 0;

    if (parameter != NULL && walk->position != NULL)
        parameters[count++] = (struct parameter){ parameter, walk->position };
    if (size_parameter != NULL && json_object_get(walk->call->next, "size") != NULL) {
        snprintf(size, 24, "%lld", next_number(walk, "size", 0));
        parameters[count++] = (struct parameter){ size_parameter, size };
    }
    parameters[count] = (struct parameter){ NULL, NULL };
}

static enum outcome ask_page(const struct walk *walk, struct reply *reply)
{
    char size[24];
    struct parameter parameters[3];
    struct message_input input = { .target = walk->url, .parameters = walk->url == NULL ? parameters : NULL };

    set_parameters(walk, size, parameters);
    return session_ask(walk->session, walk->call, &input, true, reply, walk->receipt);
}

/* Does the page bring us on? One of a list that never ends looks like the one before it. */
static int check_progress(struct walk *walk, const json_t *items, struct error *error)
{
    const char *parameter = next_text(walk, "parameter");
    bool empty = json_array_size(items) == 0;

    if (!empty && json_equal(walk->last, items))
        return error_set(error, ERROR_INVALID, "the page has the same items as the one before it%s%s%s",
                         parameter != NULL ? ": the target takes no notice of the parameter \"" : "", parameter != NULL ? parameter : "",
                         parameter != NULL ? "\" (next)" : "");
    walk->empty = empty ? walk->empty + 1 : 0;
    walk->filled += !empty;
    if (walk->empty > EMPTY_PAGES_MOST)
        return error_set(error, ERROR_TOOBIG, "more than %d pages in a row are empty, and the target names another one", EMPTY_PAGES_MOST);
    json_decref(walk->last);
    walk->last = json_incref((json_t *)(uintptr_t)items);
    return 0;
}

/* 1: enough; 0: all of the page was taken; negative: the receipt is set. */
static int take_page(struct walk *walk, const struct reply *reply)
{
    struct error error = { 0 };
    const json_t *items = NULL;

    int code = answer_items(walk->call, reply->document, &items, &error);
    walk->absent = code == ERROR_NOTFOUND;
    if (code < 0 && !walk->absent) {
        fail(walk, reply, &error);
        return -1;
    }
    if (check_progress(walk, items, &error) < 0) {
        refuse(walk, reply, &error);
        return -1;
    }
    walk->on_page = json_array_size(items);
    walk->counted += (long long)walk->on_page;
    for (size_t i = 0; i < walk->on_page; i++) {
        const json_t *item = json_array_get(items, i);
        code = walk->each(walk->arg, item, reply, walk->receipt);
        if (code != 0)
            return code;
    }
    return 0;
}

/* ---- the way to the next one ---- */

static bool total_reached(const struct walk *walk, const struct reply *reply)
{
    const char *pointer = next_text(walk, "total");
    const json_t *total = pointer != NULL ? pointer_get(reply->document, pointer) : NULL;

    return json_is_integer(total) && walk->counted >= json_integer_value(total);
}

/* The number of the next page, or how many items to leave out. */
static char *next_position(const struct walk *walk, const struct reply *reply)
{
    long long first = next_number(walk, "first", walk->by == NEXT_PAGE ? 1 : 0);

    if (walk->on_page == 0 || total_reached(walk, reply))
        return NULL;
    if (walk->by == NEXT_OFFSET)
        return str_printf("%lld", first + walk->counted);
    return str_printf("%lld", strtoll(walk->position, NULL, 10) + 1);
}

static char *next_reference(const struct walk *walk, const struct reply *reply)
{
    const char *pointer = next_text(walk, "pointer");

    if (walk->by == NEXT_PAGE || walk->by == NEXT_OFFSET)
        return next_position(walk, reply);
    if (walk->by == NEXT_LINK_HEADER)
        return pages_link_next(reply->http.link);
    const json_t *there = pointer != NULL ? pointer_get_value(reply->document, pointer) : NULL;
    return json_is_false(there) ? NULL : value_text(there);
}

/* The address of the page that was asked for last, which the next one may be relative to. */
static char *current_url(const struct walk *walk)
{
    const char *url = walk->session->settings->http.url;
    size_t length = strlen(url);

    if (walk->url != NULL)
        return strdup(walk->url);
    while (length > 0 && url[length - 1] == '/' && walk->call->path[0] == '/')
        length--;
    return str_printf("%.*s%s", (int)length, url, walk->call->path);
}

static int follow(struct walk *walk, char *reference, struct error *error)
{
    cleanup_free char *taken = reference;
    cleanup_free char *from = NULL;
    char *url = NULL;

    if (walk->by != NEXT_LINK_HEADER && walk->by != NEXT_NEXT_URL) {
        free(walk->position);
        walk->position = take_pointer(taken);
        return 0;
    }
    if ((from = current_url(walk)) == NULL)
        return error_nomem(error);
    int code = pages_resolve(from, taken, &url, error);
    if (code < 0)
        return code;
    free(walk->url);
    walk->url = url;
    return 0;
}

static size_t pages_most(const struct walk *walk)
{
    return walk->call->kind == CALL_LIST ? PAGES_MOST : LOOK_PAGES_MOST;
}

/* True: there is another page, and the walk stands before it. */
static bool move_on(struct walk *walk, const struct reply *reply)
{
    char *reference = next_reference(walk, reply);
    struct error error = { 0 };

    if (reference == NULL || *reference == '\0') {
        free(reference);
        receipt_set(walk->receipt, OUTCOME_APPLIED, 0, NULL);
        return false;
    }
    int code = follow(walk, reference, &error);
    const char *asked = walk->url != NULL ? walk->url : walk->position;
    if (code == 0 && json_object_get(walk->asked, asked) != NULL)
        code = error_set(&error, ERROR_INVALID, "the page \"%.*s\" was there before: the listing turns in a circle",
                         (int)(walk->url != NULL ? strcspn(asked, "?") : strnlen(asked, 200)), asked);
    else if (code == 0 && walk->filled >= pages_most(walk))
        code = error_set(&error, ERROR_TOOBIG, "the listing has more than %zu pages%s", pages_most(walk),
                         walk->call->kind == CALL_LIST ? "" : ": let its query select the one that is looked for; a target that takes no "
                                                              "notice of the query answers with everybody");
    else if (code == 0 && json_object_set_new_nocheck(walk->asked, asked, json_true()) < 0)
        code = error_nomem(&error);
    if (code < 0)
        refuse(walk, reply, &error);
    return code == 0;
}

/* ---- all of them ---- */

static enum next next_by(const struct call *call)
{
    const char *name = json_string_value(json_object_get(call->next, "by"));

    for (enum next by = 0; by < NEXT_COUNT; by++)
        if (name != NULL && strcmp(next_names[by], name) == 0)
            return by;
    return NEXT_COUNT;
}

static bool has_link(const struct reply *reply)
{
    cleanup_free char *next = reply->http.link != NULL ? pages_link_next(reply->http.link) : NULL;

    return next != NULL;
}

static enum outcome walk_pages(struct walk *walk)
{
    bool more = true;

    while (more) {
        cleanup_reply struct reply reply = { 0 };
        if (ask_page(walk, &reply) != OUTCOME_APPLIED)
            break;
        int code = take_page(walk, &reply);
        if (code > 0)
            receipt_set(walk->receipt, OUTCOME_APPLIED, 0, NULL);
        walk->more = walk->by == NEXT_COUNT && (has_link(&reply) || answer_shows_more(reply.document, walk->counted));
        more = code == 0 && walk->by != NEXT_COUNT && move_on(walk, &reply);
    }
    return walk->receipt->outcome;
}

static enum outcome take_single(const struct walk *walk)
{
    cleanup_reply struct reply reply = { 0 };
    struct error error = { 0 };
    const json_t *item = NULL;
    enum outcome outcome = session_ask(walk->session, walk->call, &(struct message_input){ 0 }, true, &reply, walk->receipt);

    if (outcome != OUTCOME_APPLIED)
        return outcome;
    int code = answer_item(walk->call, reply.document, &item, &error);
    if (code == ERROR_NOTFOUND)
        return session_say(walk->session, walk->call, OUTCOME_GONE, reply.http.status, walk->receipt, "%s", error.text);
    if (code < 0)
        return fail(walk, &reply, &error);
    return walk->each(walk->arg, item, &reply, walk->receipt) < 0 ? walk->receipt->outcome
                                                                  : receipt_set(walk->receipt, OUTCOME_APPLIED, 0, NULL);
}

enum outcome pages_walk(struct connector_session *session, const struct call *call, pages_item *each, void *arg,
                        struct pages_seen *ret_seen, struct receipt *receipt)
{
    struct walk walk = { .session = session, .call = call, .each = each, .arg = arg, .receipt = receipt, .by = next_by(call) };

    if (call->items == NULL)
        return take_single(&walk);
    if (walk.by == NEXT_PAGE || walk.by == NEXT_OFFSET)
        walk.position = str_printf("%lld", next_number(&walk, "first", walk.by == NEXT_PAGE ? 1 : 0));
    walk.asked = json_object();
    enum outcome outcome = walk.asked != NULL ? walk_pages(&walk) : receipt_set(receipt, OUTCOME_RETRY, 0, "out of memory");
    if (ret_seen != NULL)
        *ret_seen = (struct pages_seen){ walk.counted, walk.absent, walk.more };
    json_decref(walk.asked);
    json_decref(walk.last);
    free(walk.url);
    free(walk.position);
    return outcome;
}
