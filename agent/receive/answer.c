#include "receive/answer.h"

#include <jansson.h>
#include <string.h>

/* status, a header of its own, and what it says to a person */
static const struct {
    int status;
    const char *header, *value;
    const char *text;
} rows[ANSWER_COUNT] = {
    [ANSWER_VERIFIED] = { 200, NULL, NULL, "" },
    [ANSWER_ACCEPTED] = { 204, NULL, NULL, "" },
    [ANSWER_UNAUTHORIZED] = { 401, "WWW-Authenticate", "EventHookSecret realm=\"provost\"",
                              "The secret is missing or wrong. The Event Hook's authentication field and secret in Okta must be those of "
                              "\"hook\" in provost.conf.\n" },
    [ANSWER_MALFORMED] = { 400, NULL, NULL,
                           "This is not the body of an Okta Event Hook. It was put into quarantine; the agent's log says what is wrong with "
                           "it.\n" },
    [ANSWER_NO_CHALLENGE] = { 400, NULL, NULL,
                              "A GET must carry Okta's verification in the header X-Okta-Verification-Challenge, at most 1,024 bytes of "
                              "UTF-8. Events come by POST.\n" },
    [ANSWER_TOO_BIG] = { 413, NULL, NULL, "The body is larger than \"body_limit\" of \"listen\" in provost.conf allows.\n" },
    [ANSWER_WRONG_TYPE] = { 415, "Accept", "application/json", "The body must be application/json, not encoded.\n" },
    [ANSWER_UNAVAILABLE] = { 503, "Retry-After", "5", "The event could not be stored just now. Send it again.\n" },
    [ANSWER_NOT_FOUND] = { 404, NULL, NULL, "There is nothing here. The Event Hook's URL must end in \"path\" of \"hook\" in provost.conf.\n" },
    [ANSWER_WRONG_METHOD] = { 405, "Allow", "GET, POST", "Use GET to verify the Event Hook and POST to deliver events.\n" },
};

int answer_status(enum answer answer)
{
    return rows[answer].status;
}

const char *answer_text(enum answer answer)
{
    return rows[answer].text;
}

static struct MHD_Response *make_response(enum answer answer)
{
    const char *text = rows[answer].text;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);

    if (response == NULL)
        return NULL;
    if ((*text != '\0' && MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8") != MHD_YES) ||
        (rows[answer].header != NULL && MHD_add_response_header(response, rows[answer].header, rows[answer].value) != MHD_YES)) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

int answers_make(struct answers *answers, struct error *error)
{
    struct answers made = { 0 };

    for (int i = ANSWER_ACCEPTED; i < ANSWER_COUNT; i++) {
        made.responses[i] = make_response((enum answer)i);
        if (made.responses[i] == NULL) {
            answers_free(&made);
            return error_nomem(error);
        }
    }
    *answers = made;
    return 0;
}

void answers_free(struct answers *answers)
{
    for (int i = 0; i < ANSWER_COUNT; i++)
        if (answers->responses[i] != NULL)
            MHD_destroy_response(answers->responses[i]);
    *answers = (struct answers){ 0 };
}

struct MHD_Response *answer_verification(const char *challenge)
{
    json_t *body = json_pack("{s:s}", "verification", challenge);
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;

    json_decref(body);
    if (text == NULL)
        return NULL;
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return NULL;
    }
    if (MHD_add_response_header(response, "Content-Type", "application/json") != MHD_YES) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}
