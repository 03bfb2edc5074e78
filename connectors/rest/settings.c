#include "connectors/rest/settings.h"

#include "base/str.h"
#include "connectors/http/http.h"
#include "connectors/rest/outcome.h"
#include "connectors/rest/request.h"

const struct option_row rest_options[] = {
    HTTP_OPTIONS(struct rest_settings, http),
    OPTION_STRING(struct rest_settings, probe, "probe", 0, NULL,
                  "path, after url, that a GET must be answered at with success while the target is well; choose one that only those "
                  "see who may work there: it shows who we are to the target, not that each change is allowed; default: url itself, "
                  "where anything counts but a refused log-in (401, 403) and an error of the server"),
    OPTION_STRING(
        struct rest_settings, idempotency_header, "idempotency_header", 0, "Idempotency-Key",
        "header that carries the key of a creation, disable or enable: the same again while the answer to the attempt before is "
        "not known, so that a service that knows it does it once; empty: none is sent"),
    OPTION_ANY(struct rest_settings, outcomes, "outcomes", 0,
               "what this API means by a status, where that is not what the table of the connector says, and to all records alike: "
               "( { status = 423; outcome = \"rejected\"; } )"),
    OPTION_DURATION(struct rest_settings, lost_answer_wait_us, "lost_answer_wait", "5 s", HTTP_SECOND / 100, 3600 * HTTP_SECOND,
                    "how long after a creation whose answer was lost, or a change that was only accepted (202), it is looked whether it was "
                    "done: as long as the server may go on working on it"),
    OPTION_END
};

void rest_settings_check(const void *arg, const char *file, int line, struct problems *problems)
{
    const struct rest_settings *settings = arg;
    const char *header = settings->idempotency_header;

    http_check(&settings->http, file, line, problems);
    if (settings->probe != NULL && settings->probe[0] != '/')
        problems_add(problems, file, line, 0, "probe \"%s\" is no path; right would be \"/health\"", settings->probe);
    if (header != NULL && header[0] != '\0' && !http_header_name_is_valid(header))
        problems_add(problems, file, line, 0, "idempotency_header \"%s\" is no header's name; right would be \"Idempotency-Key\"",
                     header);
    if (settings->outcomes != NULL)
        outcome_check_list(settings->outcomes, "outcomes", problems);
}
