/*
 * apply.h: one change made through an API. The contract is that of connector.h.
 */
#ifndef PROVOST_CONNECTORS_REST_APPLY_H
#define PROVOST_CONNECTORS_REST_APPLY_H

#include "connectors/rest/read.h"

enum outcome rest_apply(struct connector_session *session, const struct operation *operation, struct account *ret_account,
                        struct receipt *receipt);

/* The header that carries the operation's idempotency key; an empty one where there is none to send. */
struct http_header apply_key_header(const struct connector_session *session, const struct operation *operation);

/* The body that `call->send` means, the caller's, or NULL where there is none to make. */
int apply_body(const struct call *call, const struct operation *operation, const json_t *document,
               const struct differences *differences, json_t **ret_body, struct error *error);

#endif
