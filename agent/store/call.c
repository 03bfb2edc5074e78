/* Calls that wait for their commit. */
#include "store/store_private.h"

struct call {
    struct request request;
    store_work *work;
    void *arg;
    struct error *error;
    int code;
    bool done;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static int call_run(struct store *store, struct request *request, struct error *error)
{
    struct call *call = (struct call *)request;

    call->code = call->work(store, call->arg, error);
    return call->code < 0 ? call->code : 0;
}

static void call_finish(struct request *request, int code, const struct error *error)
{
    struct call *call = (struct call *)request;

    pthread_mutex_lock(&call->lock);
    if (code < 0) {
        call->code = code;
        if (call->error != NULL)
            *call->error = *error;
    }
    call->done = true;
    pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&call->lock);
}

static int call(struct store *store, bool relaxed, store_work *work, void *arg, struct error *error)
{
    struct call waiting = {
        .request = { .run = call_run, .finish = call_finish, .relaxed = relaxed }, .work = work, .arg = arg, .error = error,
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
    };

    store_enqueue(store, &waiting.request);
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.done)
        pthread_cond_wait(&waiting.changed, &waiting.lock);
    pthread_mutex_unlock(&waiting.lock);
    pthread_mutex_destroy(&waiting.lock);
    pthread_cond_destroy(&waiting.changed);
    return waiting.code;
}

int store_call(struct store *store, store_work *work, void *arg, struct error *error)
{
    return call(store, false, work, arg, error);
}

int store_call_relaxed(struct store *store, store_work *work, void *arg, struct error *error)
{
    return call(store, true, work, arg, error);
}
