#include "source/okta.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "source/event_facts.h"
#include "source/json_scan.h"

#define DEPTH_MOST 64
#define EVENTS_MOST 10000
#define TARGETS_MOST 1000
#define ID_BYTES_MOST 256
#define TEXT_BYTES_MOST 1024

/* An actor or a target, as it stands in the text. */
struct entity {
    struct json_slice id, type, alternate_id, display_name;
};

struct log_event {
    struct json_slice uuid, published, type, result, session;
    struct entity actor;
    struct entity *targets; /* only users, groups and apps; reused from event to event */
    size_t target_count, target_capacity;
    bool no_memory;
    struct json_slice raw;
};

struct parse {
    struct json_slice event_id, event_time;
    struct wall received;
    struct event_batch *batch;
    size_t capacity;
    struct log_event log_event;
    int events_seen; /* arrays data.events */
    int code;        /* first failure that is not the scanner's */
    struct error *error;
};

static void batch_cleanup(struct event_batch **batch)
{
    event_batch_free(*batch);
}

static bool parse_fail(struct parse *parse, int code, const char *sentence)
{
    if (parse->code == 0)
        parse->code = error_set(parse->error, code, "%s", sentence);
    return false;
}

/* ---- reading members ---- */

/* A member of an object, where it goes, and how it is read. */
struct member_row {
    const char *name;
    size_t offset;
    void (*read)(struct json_scan *scan, void *field);
};

static void read_object(struct json_scan *scan, const struct member_row *rows, void *into)
{
    struct json_slice key;

    if (json_scan_kind(scan) != JSON_KIND_OBJECT) {
        json_scan_skip(scan);
        return;
    }
    json_scan_enter(scan);
    while (json_scan_member(scan, &key)) {
        const struct member_row *row = rows;
        while (row->name != NULL && !json_slice_is(&key, row->name))
            row++;
        if (row->name != NULL)
            row->read(scan, (char *)into + row->offset);
        else
            json_scan_skip(scan);
    }
}

/* Of two members of one name the last counts, whatever it is. */
static void read_text(struct json_scan *scan, void *field)
{
    struct json_slice *slice = field;

    *slice = (struct json_slice){ 0 };
    if (json_scan_kind(scan) == JSON_KIND_STRING)
        json_scan_string(scan, slice);
    else
        json_scan_skip(scan);
}

static const struct member_row entity_members[] = {
    { "id", offsetof(struct entity, id), read_text },
    { "type", offsetof(struct entity, type), read_text },
    { "alternateId", offsetof(struct entity, alternate_id), read_text },
    { "displayName", offsetof(struct entity, display_name), read_text },
    { NULL, 0, NULL },
};

static void read_entity(struct json_scan *scan, void *field)
{
    struct entity *entity = field;

    *entity = (struct entity){ 0 };
    read_object(scan, entity_members, entity);
}

static enum entity_type entity_type(const struct entity *entity)
{
    static const struct {
        const char *name;
        enum entity_type type;
    } types[] = { { "User", ENTITY_USER }, { "UserGroup", ENTITY_GROUP }, { "AppInstance", ENTITY_APP } };

    for (size_t i = 0; entity->type.at != NULL && i < sizeof(types) / sizeof(types[0]); i++)
        if (json_slice_is(&entity->type, types[i].name))
            return types[i].type;
    return ENTITY_OTHER;
}

static bool add_target(struct log_event *event, const struct entity *entity)
{
    if (event->target_count == event->target_capacity) {
        size_t capacity = event->target_capacity != 0 ? event->target_capacity * 2 : 8;
        struct entity *targets = realloc(event->targets, capacity * sizeof(*targets));
        if (targets == NULL)
            return false;
        event->targets = targets;
        event->target_capacity = capacity;
    }
    event->targets[event->target_count++] = *entity;
    return true;
}

/* What is too many is counted on, so that the event's builder can say so. */
static void read_targets(struct json_scan *scan, void *field)
{
    struct log_event *event = (struct log_event *)((char *)field - offsetof(struct log_event, targets));
    struct entity entity;

    event->target_count = 0;
    if (json_scan_kind(scan) != JSON_KIND_ARRAY) {
        json_scan_skip(scan);
        return;
    }
    json_scan_enter(scan);
    while (json_scan_element(scan)) {
        read_entity(scan, &entity);
        if (event->target_count <= TARGETS_MOST && entity_type(&entity) != ENTITY_OTHER && !add_target(event, &entity))
            event->no_memory = true;
    }
}

static const struct member_row outcome_members[] = {
    { "result", 0, read_text },
    { NULL, 0, NULL },
};

static void read_outcome(struct json_scan *scan, void *field)
{
    *(struct json_slice *)field = (struct json_slice){ 0 };
    read_object(scan, outcome_members, field);
}

static const struct member_row authentication_members[] = {
    { "externalSessionId", 0, read_text },
    { NULL, 0, NULL },
};

static void read_authentication(struct json_scan *scan, void *field)
{
    *(struct json_slice *)field = (struct json_slice){ 0 };
    read_object(scan, authentication_members, field);
}

static const struct member_row log_event_members[] = {
    { "uuid", offsetof(struct log_event, uuid), read_text },
    { "published", offsetof(struct log_event, published), read_text },
    { "eventType", offsetof(struct log_event, type), read_text },
    { "actor", offsetof(struct log_event, actor), read_entity },
    { "outcome", offsetof(struct log_event, result), read_outcome },
    { "authenticationContext", offsetof(struct log_event, session), read_authentication },
    { "target", offsetof(struct log_event, targets), read_targets },
    { NULL, 0, NULL },
};

/* ---- decoding ---- */

/* A usable text of at most `most` bytes, in `text`, else NULL. */
static const char *decode(const struct json_slice *slice, size_t most, char *text)
{
    if (slice->at == NULL || slice->length > most * 6 || !json_slice_decode(slice, text))
        return NULL;
    return *text == '\0' || strlen(text) > most || strcmp(text, "unknown") == 0 ? NULL : text;
}

/* The same as a new string; `fallback` (may be NULL) where there is none. */
static char *decode_new(struct parse *parse, const struct json_slice *slice, size_t most, const char *fallback)
{
    char text[TEXT_BYTES_MOST * 6 + 1];
    const char *found = decode(slice, most, text);
    char *copy = str_dup(found != NULL ? found : fallback);

    if (copy == NULL && (found != NULL || fallback != NULL))
        parse_fail(parse, ERROR_NOMEM, error_sentence(ERROR_NOMEM));
    return copy;
}

static size_t slice_bytes(const struct json_slice *slice)
{
    return slice->at == NULL || slice->length > TEXT_BYTES_MOST * 6 ? 1 : slice->length + 1;
}

static size_t entity_bytes(const struct entity *entity)
{
    return slice_bytes(&entity->id) + slice_bytes(&entity->alternate_id) + slice_bytes(&entity->display_name);
}

static const char *decode_into(char **storage, const struct json_slice *slice, size_t most)
{
    const char *text = decode(slice, most, *storage);

    *storage += text != NULL ? strlen(text) + 1 : 0;
    return text;
}

/* False when it has no id that can be used. */
static bool decode_party(char **storage, const struct entity *entity, struct party *ret_party)
{
    struct party party = { entity_type(entity), decode_into(storage, &entity->id, ID_BYTES_MOST), NULL, NULL };

    if (party.id == NULL || party.type == ENTITY_OTHER)
        return false;
    party.login = decode_into(storage, &entity->alternate_id, TEXT_BYTES_MOST);
    party.name = decode_into(storage, &entity->display_name, TEXT_BYTES_MOST);
    *ret_party = party;
    return true;
}

/* ---- building an event ---- */

/* An identity named twice is one, with the first name that it was given. */
static bool merge_party(struct party *parties, size_t count, const struct party *party)
{
    for (size_t i = 0; i < count; i++) {
        if (parties[i].type != party->type || strcmp(parties[i].id, party->id) != 0)
            continue;
        if (parties[i].login == NULL)
            parties[i].login = party->login;
        if (parties[i].name == NULL)
            parties[i].name = party->name;
        return true;
    }
    return false;
}

static bool has_user(const struct party *parties, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (parties[i].type == ENTITY_USER)
            return true;
    return false;
}

static int find_parties(const struct log_event *log_event, unsigned flags, struct subject_matter *ret_matter)
{
    size_t bytes = entity_bytes(&log_event->actor) + slice_bytes(&log_event->session), count = 0;
    struct party party;

    for (size_t i = 0; i < log_event->target_count; i++)
        bytes += entity_bytes(&log_event->targets[i]);
    cleanup_free char *storage = malloc(bytes);
    cleanup_free struct party *parties = calloc(log_event->target_count + 1, sizeof(*parties));
    if (storage == NULL || parties == NULL)
        return ERROR_NOMEM;
    char *at = storage;
    for (size_t i = 0; i < log_event->target_count; i++)
        if (decode_party(&at, &log_event->targets[i], &party) && !merge_party(parties, count, &party))
            parties[count++] = party;
    if ((flags & EVENT_ACTOR_IS_SUBJECT) != 0 && !has_user(parties, count))
        if (decode_party(&at, &log_event->actor, &party) && party.type == ENTITY_USER)
            parties[count++] = party;
    const char *session = decode_into(&at, &log_event->session, ID_BYTES_MOST);
    *ret_matter = (struct subject_matter){ take_pointer(parties), count, session, take_pointer(storage) };
    return 0;
}

/* The first user, else the first group. */
static bool set_subject(struct event *event, const struct party *parties, size_t count)
{
    const struct party *subject = NULL;

    for (size_t i = 0; i < count; i++) {
        if (parties[i].type == ENTITY_APP || (subject != NULL && parties[i].type != ENTITY_USER))
            continue;
        subject = &parties[i];
        if (subject->type == ENTITY_USER)
            break;
    }
    if (subject == NULL)
        return true;
    bool user = subject->type == ENTITY_USER;
    const char *name = user && subject->login != NULL ? subject->login : subject->name;
    event->subject_kind = user ? IDENTITY_USER : IDENTITY_GROUP;
    event->subject_id = strdup(subject->id);
    event->subject_name = str_dup(name);
    return event->subject_id != NULL && (name == NULL || event->subject_name != NULL);
}

static void upper(char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        if (*text >= 'a' && *text <= 'z')
            *text = (char)(*text - 'a' + 'A');
}

static void set_published(struct event *event, const struct json_slice *published)
{
    char text[64 * 6 + 1];
    const char *found = decode(published, 64, text);

    if (found == NULL || !wall_parse(found, &event->published) || event->published.us <= 0)
        event->published = (struct wall){ 0 };
}

/* Fills in `event` (zeroed, of the batch already) from what was read. */
static bool build_event(struct parse *parse, const struct log_event *log_event, struct event *event)
{
    static const struct event_rule no_rule = { .type = "" };
    struct subject_matter matter = { 0 };

    event->raw = strndup(log_event->raw.at, log_event->raw.length);
    event->uuid = decode_new(parse, &log_event->uuid, ID_BYTES_MOST, NULL);
    event->type = decode_new(parse, &log_event->type, ID_BYTES_MOST, "unknown");
    event->outcome = decode_new(parse, &log_event->result, ID_BYTES_MOST, "UNKNOWN");
    event->actor = decode_new(parse, &log_event->actor.alternate_id, TEXT_BYTES_MOST, NULL);
    set_published(event, &log_event->published);
    upper(event->outcome);
    if (event->raw == NULL || event->type == NULL || event->outcome == NULL || log_event->no_memory)
        return parse_fail(parse, ERROR_NOMEM, error_sentence(ERROR_NOMEM));
    if (log_event->target_count > TARGETS_MOST)
        return parse_fail(parse, ERROR_INVALID, "an event has more than 1,000 targets");
    const struct event_rule *rule = event_rule_find(event->type);
    rule = rule != NULL ? rule : &no_rule;
    if (find_parties(log_event, rule->flags, &matter) < 0)
        return parse_fail(parse, ERROR_NOMEM, error_sentence(ERROR_NOMEM));
    cleanup_free struct party *parties = matter.parties;
    event->storage = matter.storage;
    if (!set_subject(event, parties, matter.count))
        return parse_fail(parse, ERROR_NOMEM, error_sentence(ERROR_NOMEM));
    int code = strcmp(event->outcome, "SUCCESS") == 0 ? event_add_facts(event, rule, &matter) : 0;
    if (code == ERROR_TOOBIG)
        return parse_fail(parse, ERROR_INVALID, "an event has too many targets: its facts would be more than 10,000");
    return code == 0 || parse_fail(parse, code, error_sentence(code));
}

static struct event *next_event(struct parse *parse)
{
    struct event_batch *batch = parse->batch;

    if (batch->count == EVENTS_MOST) {
        parse_fail(parse, ERROR_INVALID, "data.events holds more than 10,000 events");
        return NULL;
    }
    if (batch->count == parse->capacity) {
        size_t capacity = parse->capacity != 0 ? parse->capacity * 4 : 1;
        struct event *events = realloc(batch->events, capacity * sizeof(*events));
        if (events == NULL) {
            parse_fail(parse, ERROR_NOMEM, error_sentence(ERROR_NOMEM));
            return NULL;
        }
        batch->events = events;
        parse->capacity = capacity;
    }
    batch->events[batch->count] = (struct event){ 0 };
    return &batch->events[batch->count++];
}

static void read_event(struct parse *parse, struct json_scan *scan)
{
    struct log_event *log_event = &parse->log_event;
    struct entity *targets = log_event->targets;

    *log_event = (struct log_event){ .targets = targets, .target_capacity = log_event->target_capacity };
    json_scan_kind(scan);
    log_event->raw.at = scan->at;
    read_object(scan, log_event_members, log_event);
    log_event->raw.length = (size_t)(scan->at - log_event->raw.at);
    if (scan->problem != NULL || parse->code != 0)
        return;
    struct event *event = next_event(parse);
    if (event != NULL)
        build_event(parse, log_event, event);
}

/* ---- what an event lacks ---- */

static char *digest_of(const char *raw)
{
    unsigned char digest[32];
    static const char digits[] = "0123456789abcdef";
    char text[7 + 64 + 1] = "sha256:";

    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, raw, strlen(raw), digest) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof(digest); i++) {
        text[7 + 2 * i] = digits[digest[i] >> 4];
        text[8 + 2 * i] = digits[digest[i] & 15];
    }
    return strdup(text);
}

static bool complete_event(struct parse *parse, size_t index, struct wall fallback)
{
    struct event *event = &parse->batch->events[index];
    const char *event_id = parse->batch->event_id;

    event->undated = event->published.us == 0 && parse->batch->sent.us == 0;
    if (event->published.us == 0)
        event->published = fallback;
    for (size_t i = 0; i < event->fact_count; i++)
        event->facts[i].as_of = event->published;
    if (event->uuid == NULL)
        event->uuid = event_id != NULL ? str_printf("%s#%zu", event_id, index) : digest_of(event->raw);
    for (size_t i = 0; i < event->fact_count; i++)
        if (event->facts[i].kind == FACT_SIGNED_IN && event->facts[i].present && event->facts[i].other == NULL)
            event->facts[i].other = event->uuid;
    return event->uuid != NULL || parse_fail(parse, ERROR_NOMEM, error_sentence(ERROR_NOMEM));
}

static bool complete_events(struct parse *parse)
{
    char text[64 * 6 + 1];
    struct wall event_time;
    const char *found = decode(&parse->event_time, 64, text);

    if (found != NULL && wall_parse(found, &event_time) && event_time.us > 0)
        parse->batch->sent = event_time;
    struct wall fallback = parse->batch->sent.us != 0 ? parse->batch->sent : parse->received;
    parse->batch->event_id = decode_new(parse, &parse->event_id, ID_BYTES_MOST, NULL);
    for (size_t i = 0; i < parse->batch->count && parse->code == 0; i++)
        complete_event(parse, i, fallback);
    return parse->code == 0;
}

/* ---- the body ---- */

static void read_events(struct json_scan *scan, void *field)
{
    struct parse *parse = field;

    if (json_scan_kind(scan) != JSON_KIND_ARRAY) {
        json_scan_skip(scan);
        return;
    }
    parse->events_seen++;
    json_scan_enter(scan);
    while (parse->code == 0 && json_scan_element(scan))
        read_event(parse, scan);
}

static const struct member_row data_members[] = {
    { "events", 0, read_events },
    { NULL, 0, NULL },
};

static void read_data(struct json_scan *scan, void *field)
{
    read_object(scan, data_members, field);
}

static const struct member_row body_members[] = {
    { "eventId", offsetof(struct parse, event_id), read_text },
    { "eventTime", offsetof(struct parse, event_time), read_text },
    { "data", 0, read_data },
    { NULL, 0, NULL },
};

/* Two sets of events in one body would mean that one of them gets lost. */
static int check_body(struct parse *parse, struct json_scan *scan)
{
    if (parse->code == 0 && !json_scan_finish(scan))
        return error_set(parse->error, ERROR_SYNTAX, "the body is not JSON: at byte %zu, %s", json_scan_offset(scan), scan->problem);
    if (parse->code == 0 && parse->events_seen != 1)
        parse_fail(parse, ERROR_INVALID, parse->events_seen == 0 ?
                   "the body is not an Okta event hook's: it has no array data.events" :
                   "the body is not an Okta event hook's: it has more than one data.events");
    return parse->code;
}

static int parse_start(struct parse *parse, struct wall received, struct error *error)
{
    *parse = (struct parse){ .received = received, .error = error };
    parse->batch = calloc(1, sizeof(*parse->batch));
    return parse->batch != NULL ? 0 : error_nomem(error);
}

static int parse_end(struct parse *parse, int code, struct event_batch **ret_batch)
{
    __attribute__((cleanup(batch_cleanup))) struct event_batch *batch = parse->batch;

    if (code == 0 && !complete_events(parse))
        code = parse->code;
    free(parse->log_event.targets);
    if (code < 0)
        return code;
    *ret_batch = take_pointer(batch);
    return 0;
}

int okta_parse_hook(const char *body, size_t length, struct wall received, struct event_batch **ret_batch, struct error *error)
{
    struct parse parse;
    struct json_scan scan;

    if (parse_start(&parse, received, error) < 0)
        return ERROR_NOMEM;
    json_scan_start(&scan, body, length, DEPTH_MOST);
    read_object(&scan, body_members, &parse);
    return parse_end(&parse, check_body(&parse, &scan), ret_batch);
}

int okta_parse_log_event(json_t *log_event, struct wall received, struct event_batch **ret_batch, struct error *error)
{
    struct parse parse;
    struct json_scan scan;

    if (!json_is_object(log_event))
        return error_set(error, ERROR_INVALID, "a LogEvent is a JSON object, this is none");
    cleanup_free char *text = json_dumps(log_event, JSON_COMPACT);
    if (text == NULL || parse_start(&parse, received, error) < 0)
        return error_nomem(error);
    json_scan_start(&scan, text, strlen(text), DEPTH_MOST);
    read_event(&parse, &scan);
    if (scan.problem != NULL)
        parse_fail(&parse, ERROR_SYNTAX, scan.problem);
    return parse_end(&parse, parse.code, ret_batch);
}
