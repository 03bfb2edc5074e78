/*
 * request.h: one request, from its headers to its answer.
 *
 * libmicrohttpd calls request_handle with the headers, then with each piece of
 * the body, then once more; a request that is handed to the sink is suspended
 * there and handled once more when the commit is known.
 * Threads: libmicrohttpd's; request_abandon from the thread that stops.
 */
#ifndef PROVOST_RECEIVE_REQUEST_H
#define PROVOST_RECEIVE_REQUEST_H

#include "receive/connection.h"

/* MHD_AccessHandlerCallback and MHD_RequestCompletedCallback. */
enum MHD_Result request_handle(void *receiver, struct MHD_Connection *mhd, const char *url, const char *method, const char *version,
                               const char *upload, size_t *upload_bytes, void **request);
void request_ended(void *receiver, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code);

/* Answers 503 to all that the sink still has. */
void request_abandon_all(struct receiver *receiver);

#endif
