/*
 * rehearse.h: what the first joiner and the first leaver will ask of the API,
 * asked now, for `check --connect`. Nothing is written.
 *
 * The list is asked for one page. One of its accounts is read by its id, must
 * show whether it is disabled, and what `where` is held against. Each request
 * of match is asked for somebody who cannot be there: whoever is answered all
 * the same shows that the target takes no notice of the query. A group's file
 * is asked for the groups of somebody.
 * Ownership: as said in connector.h. Threads: the session's.
 * Errors: a problem for each thing that is wrong; a note for what was not seen.
 */
#ifndef PROVOST_CONNECTORS_REST_REHEARSE_H
#define PROVOST_CONNECTORS_REST_REHEARSE_H

#include "connectors/rest/read.h"

void rest_rehearse(struct connector_session *session, const struct connector_sample *sample, struct problems *problems,
                   char **ret_key, char **ret_note);

#endif
