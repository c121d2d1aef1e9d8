/*
 * The locks of a map: robust mutexes shared between processes.
 *
 * If a holder dies, the kernel walks its list of robust locks and the next one to take the lock is told
 * (EOWNERDEAD), also when the dead one lived in another process-id namespace or called exec. Taking such a
 * lock means mending first: see map_internal.h for what a killed process may leave. A holder that dies while
 * mending leaves the lock as it found it, so mending starts over.
 */
#include "map_internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define SPINS 200
#define WAIT_SECONDS 5

int map_lock_create(struct map_group *group) {
    pthread_mutexattr_t attributes;
    int status;

    memset(group->lock_space, 0, sizeof(group->lock_space));
    if (pthread_mutexattr_init(&attributes) != 0)
        return -ENOMEM;
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    status = pthread_mutex_init(&group->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return -status;
}

/* Whether the lock is of the kind that map_lock_create makes: any other kind may do anything when taken. */
int map_lock_is_sane(const struct map_group *group) {
#ifdef __GLIBC__
    struct map_group model;

    if (map_lock_create(&model) != 0)
        return 0;
    return group->lock.__data.__kind == model.lock.__data.__kind;
#else
    (void)group;
    return 1;
#endif
}

static void mend(struct vm_map *map, uint32_t group) {
    if (map_is_array(map))
        map_array_redo(map);
    else
        map_hash_rebuild(map, group);
}

static int wait_for(pthread_mutex_t *lock) {
    struct timespec until;
    int status = EBUSY;

    for (int spin = 0; spin < SPINS && status == EBUSY; spin++) {
#ifdef __x86_64__
        __builtin_ia32_pause();
#endif
        status = pthread_mutex_trylock(lock);
    }
    if (status != EBUSY)
        return status;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_SECONDS;
    return pthread_mutex_timedlock(lock, &until);
}

/* What taking the lock said, after mending what a dead holder left. */
static int taken(struct vm_map *map, uint32_t group, int status) {
    if (status == EOWNERDEAD) {
        mend(map, group);
        status = pthread_mutex_consistent(&map_group(map, group)->lock);
    }
    return -status;
}

int map_try_lock(struct vm_map *map, uint32_t group) {
    if (!map->is_writable)
        return -EPERM;
    return taken(map, group, pthread_mutex_trylock(&map_group(map, group)->lock));
}

int map_lock(struct vm_map *map, uint32_t group) {
    int status = map_try_lock(map, group);

    return status == -EBUSY ? taken(map, group, wait_for(&map_group(map, group)->lock)) : status;
}

void map_unlock(struct vm_map *map, uint32_t group) {
    pthread_mutex_unlock(&map_group(map, group)->lock);
}

/* Takes all locks, in order of their numbers; whoever needs several takes them so, hence no circle of
 * waiters. */
int map_lock_all(struct vm_map *map) {
    for (uint32_t group = 0; group < map->group_count; group++) {
        int status = map_lock(map, group);

        if (status != 0) {
            while (group-- > 0)
                map_unlock(map, group);
            return status;
        }
    }
    return 0;
}

void map_unlock_all(struct vm_map *map) {
    for (uint32_t group = map->group_count; group-- > 0;)
        map_unlock(map, group);
}

int vm_map_reset_locks(struct vm_map *map) {
    if (!map->is_writable)
        return -EPERM;
    for (uint32_t group = 0; group < map->group_count; group++) {
        int status = map_lock_create(map_group(map, group));

        if (status != 0)
            return status;
        mend(map, group);
    }
    return 0;
}
