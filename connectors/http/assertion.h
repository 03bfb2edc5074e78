/*
 * assertion.h: the signed text by which a client proves itself to a token
 * endpoint without a shared secret.
 *
 * Ownership: the assertion is the caller's; it is a credential for some
 * minutes, so free it with secret_free. Threads: no state.
 * Errors: name what is wrong with the key, never its text.
 * Sources: RFC 7523 §2.2 and §3, RFC 7519 (JWT), RFC 7518 §3.3 to 3.5 (algorithms).
 */
#ifndef PROVOST_CONNECTORS_HTTP_ASSERTION_H
#define PROVOST_CONNECTORS_HTTP_ASSERTION_H

#include "base/clock.h"
#include "base/error.h"
#include "connectors/http/settings.h"

/* Is client_key a private key that client_algorithm can sign with? No I/O. */
int assertion_check_key(const struct http_settings *settings, struct error *error);

/* For token_url, valid for five minutes from `now`. */
int assertion_make(const struct http_settings *settings, struct wall now, char **ret_assertion, struct error *error);

#endif
