#include "connectors/session/redis_table.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* What malloc and a tree's node take beside the struct and its text. */
#define OVERHEAD_BYTES 64

struct user {
    const char *name; /* first, for the trees' comparison; behind the struct */
    struct owned_key *first;
};

struct owned_key {
    const char *key; /* first, as above */
    struct user *user;
    struct owned_key *previous, *next; /* of the same user */
};

/* Both begin with their text. */
static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t node_bytes(size_t size, const char *text)
{
    return size + strlen(text) + 1 + OVERHEAD_BYTES;
}

/* A struct of this size with its text behind it, put into the tree. */
static void *add_node(void **tree, size_t size, const char *text)
{
    char *node = calloc(1, size + strlen(text) + 1);

    if (node == NULL)
        return NULL;
    strcpy(node + size, text);
    *(const char **)(void *)node = node + size;
    if (tsearch(node, tree, compare) != NULL)
        return node;
    free(node);
    return NULL;
}

static void *find_node(void *const *tree, const char *text)
{
    void *const *found = tfind(&text, tree, compare);

    return found != NULL ? *found : NULL;
}

static void leave_user(struct table *table, struct owned_key *owned)
{
    struct user *user = owned->user;

    if (owned->next != NULL)
        owned->next->previous = owned->previous;
    if (owned->previous != NULL)
        owned->previous->next = owned->next;
    else
        user->first = owned->next;
    if (user->first != NULL)
        return;
    table->bytes -= node_bytes(sizeof(*user), user->name);
    tdelete(user, &table->users, compare);
    free(user);
}

static void join_user(struct user *user, struct owned_key *owned)
{
    owned->user = user;
    owned->previous = NULL;
    owned->next = user->first;
    if (user->first != NULL)
        user->first->previous = owned;
    user->first = owned;
}

bool table_put(struct table *table, const char *key, const char *name)
{
    struct user *user = find_node(&table->users, name);
    struct owned_key *owned = find_node(&table->keys, key);
    bool new_user = user == NULL;

    if (owned != NULL && owned->user == user)
        return true;
    if (new_user && (user = add_node(&table->users, sizeof(*user), name)) == NULL)
        return false;
    if (new_user)
        table->bytes += node_bytes(sizeof(*user), name);
    if (owned != NULL) {
        leave_user(table, owned);
    } else if ((owned = add_node(&table->keys, sizeof(*owned), key)) != NULL) {
        table->count++;
        table->bytes += node_bytes(sizeof(*owned), key);
    } else {
        if (new_user) {
            table->bytes -= node_bytes(sizeof(*user), name);
            tdelete(user, &table->users, compare);
            free(user);
        }
        return false;
    }
    join_user(user, owned);
    return true;
}

void table_remove(struct table *table, const char *key)
{
    struct owned_key *owned = find_node(&table->keys, key);

    if (owned == NULL)
        return;
    leave_user(table, owned);
    table->count--;
    table->bytes -= node_bytes(sizeof(*owned), key);
    tdelete(owned, &table->keys, compare);
    free(owned);
}

void table_each(const struct table *table, const char *name, void (*each)(void *arg, const char *key), void *arg)
{
    const struct user *user = find_node(&table->users, name);

    for (const struct owned_key *owned = user != NULL ? user->first : NULL; owned != NULL; owned = owned->next)
        each(arg, owned->key);
}

void table_clear(struct table *table)
{
    tdestroy(table->keys, free);
    tdestroy(table->users, free);
    *table = (struct table){ 0 };
}
