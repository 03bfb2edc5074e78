#include "base/fault.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

#define FAULTS_MAX 16
#define FAULT_KILL 1

struct fault {
    enum fault_place place;
    int code;        /* FAULT_KILL or a negative error code */
    long times_left; /* -1: always */
    long passings_before;
};

atomic_bool fault_active;
static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fault fault_list[FAULTS_MAX];
static size_t fault_count;

static const struct {
    const char *name, *when;
} places[FAULT_PLACE_COUNT] = {
#define X(place, name, when) { name, when },
    FAULT_POINT_LIST(X)
#undef X
};

const char *fault_place_name(enum fault_place place)
{
    return places[place].name;
}

const char *fault_place_when(enum fault_place place)
{
    return places[place].when;
}

static bool place_from_name(const char *name, enum fault_place *ret_place)
{
    for (size_t i = 0; i < FAULT_PLACE_COUNT; i++)
        if (strcmp(places[i].name, name) == 0) {
            *ret_place = (enum fault_place)i;
            return true;
        }
    return false;
}

static int code_from_name(const char *name)
{
    if (strcmp(name, "kill") == 0)
        return FAULT_KILL;
    for (int code = -1; code >= ERROR_INTERNAL; code--)
        if (strcmp(error_name(code), name) == 0)
            return code;
    return 0;
}

static bool parse_fault(char *text, struct fault *fault)
{
    char *equals = strchr(text, '=');
    char *mark;

    if (equals == NULL)
        return false;
    *equals++ = '\0';
    *fault = (struct fault){ .times_left = -1 };
    if (!place_from_name(text, &fault->place))
        return false;
    if ((mark = strchr(equals, '@')) != NULL) {
        fault->passings_before = strtol(mark + 1, NULL, 10) - 1;
        *mark = '\0';
    }
    if ((mark = strchr(equals, '*')) != NULL) {
        fault->times_left = strtol(mark + 1, NULL, 10);
        *mark = '\0';
    }
    fault->code = code_from_name(equals);
    return fault->code != 0;
}

int fault_set(const char *faults, struct error *error)
{
    struct fault list[FAULTS_MAX];
    size_t count = 0;
    cleanup_free char *copy = strdup(faults != NULL ? faults : "");
    char *rest = copy, *word;

    if (copy == NULL)
        return error_nomem(error);
    if (!fault_built && *copy != '\0')
        return error_set(error, ERROR_INVALID, "PROVOST_FAULTS is set, but this build has no fault points; configure with --enable-fault-points");
    while ((word = strsep(&rest, ",")) != NULL) {
        if (*word == '\0')
            continue;
        if (count == FAULTS_MAX || !parse_fault(word, &list[count]))
            return error_set(error, ERROR_SYNTAX, "PROVOST_FAULTS: \"%s\" is not NAME=CODE[*N][@N] with a name that provostd --fault-points "
                             "tells, or there are more than %d", word, FAULTS_MAX);
        count++;
    }
    pthread_mutex_lock(&fault_lock);
    memcpy(fault_list, list, count * sizeof(list[0]));
    fault_count = count;
    atomic_store(&fault_active, count != 0);
    pthread_mutex_unlock(&fault_lock);
    return 0;
}

int fault_init(struct error *error)
{
    return fault_set(getenv("PROVOST_FAULTS"), error);
}

int fault_check(enum fault_place place)
{
    int code = 0;

    pthread_mutex_lock(&fault_lock);
    for (size_t i = 0; i < fault_count; i++) {
        struct fault *fault = &fault_list[i];
        if (fault->place != place)
            continue;
        if (fault->passings_before > 0) {
            fault->passings_before--;
        } else if (fault->times_left != 0) {
            if (fault->times_left > 0)
                fault->times_left--;
            code = fault->code;
        }
        break;
    }
    pthread_mutex_unlock(&fault_lock);
    if (code == FAULT_KILL)
        kill(getpid(), SIGKILL);
    return code;
}
