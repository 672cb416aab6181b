/* A party that waits at the barrier of the C library, or with -DMPI at that of
 * MPI, and does nothing else. See board_unsafe.go for the board, and worker.go
 * for what a worker does.
 *
 *     worker BOARD PARTY SEGMENT LOCK
 *     worker version
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef MPI
#include <mpi.h>
#else
#include <gnu/libc-version.h>
#endif

enum { LINE = 16, PAGE = 4096, EXIT_USAGE = 2, EXIT_SAFETY = 12 };
enum { PARTIES, WARM_UP, FOR };
enum { START = LINE, LAST };
enum { READY, BEGUN, STARTED, ENDED, CPU, VOLUNTARY, INVOLUNTARY, EARLY, EARLY_PEER };

static _Atomic int64_t *board;
static off_t size;
static int party, parties;

static void die(const char *what)
{
	perror(what);
	exit(EXIT_USAGE);
}

static _Atomic int64_t *of(int party, int word) { return &board[(2 + party) * LINE + word]; }

static void await_ready(int party)
{
	const struct timespec millisecond = {0, 1000000};
	while (!atomic_load(of(party, READY)))
		nanosleep(&millisecond, NULL);
}

#ifdef MPI

static void open_barrier(char *number)
{
	(void)number; /* the rank is the number */
	MPI_Init(NULL, NULL);
	MPI_Comm_rank(MPI_COMM_WORLD, &party);
}

static void wait_barrier(void)
{
	if (MPI_Barrier(MPI_COMM_WORLD) != MPI_SUCCESS)
		die("MPI_Barrier");
}

static void close_barrier(void) { MPI_Finalize(); }

#else

static pthread_barrier_t *barrier; /* in the last page of the board */

static void open_barrier(char *number)
{
	party = atoi(number);
	barrier = (pthread_barrier_t *)((char *)board + size - PAGE);
	if (party > 0) {
		await_ready(0);
		return;
	}
	pthread_barrierattr_t attributes;
	if (pthread_barrierattr_init(&attributes) ||
	    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) ||
	    pthread_barrier_init(barrier, &attributes, (unsigned)parties))
		die("pthread_barrier_init");
}

static void wait_barrier(void)
{
	int result = pthread_barrier_wait(barrier);
	if (result && result != PTHREAD_BARRIER_SERIAL_THREAD)
		die("pthread_barrier_wait");
}

static void close_barrier(void) {}

#endif

static int64_t monotonic(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t cpu(const struct rusage *u)
{
	return (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * INT64_C(1000000000) +
	       (u->ru_utime.tv_usec + u->ru_stime.tv_usec) * INT64_C(1000);
}

/* What party 0 does before a call: it says which rounds begin and end the
 * measured section. */
static void pace(int64_t round, int64_t warm)
{
	int64_t now = monotonic();
	if (!atomic_load(&board[START])) {
		if (round > 1 && now >= warm)
			atomic_store(&board[START], round);
	} else if (!atomic_load(&board[LAST]) && now - atomic_load(of(0, STARTED)) >= atomic_load(&board[FOR])) {
		atomic_store(&board[LAST], round);
	}
}

int main(int count, char **arguments)
{
#ifndef MPI
	if (count == 2 && !strcmp(arguments[1], "version"))
		return printf("glibc %s\n", gnu_get_libc_version()) < 0;
#endif
	if (count != 5) {
		fprintf(stderr, "this program is started by stress bench\n");
		return EXIT_USAGE;
	}
	struct stat info;
	int file = open(arguments[1], O_RDWR | O_CLOEXEC);
	if (file < 0 || fstat(file, &info))
		die(arguments[1]);
	size = info.st_size;
	board = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (board == MAP_FAILED)
		die(arguments[1]);
	parties = (int)atomic_load(&board[PARTIES]);

	open_barrier(arguments[2]);
	atomic_store(of(party, READY), 1);
	for (int peer = 0; peer < parties; peer++)
		await_ready(peer);

	struct rusage before = {0}, after;
	int64_t warm = monotonic() + atomic_load(&board[WARM_UP]);
	for (int64_t round = 1;; round++) {
		if (party == 0)
			pace(round, warm);
		atomic_store(of(party, BEGUN), round); /* pairs with the load of a peer */
		wait_barrier();
		int peer = parties > 1 ? (party + 1 + (int)(round % (parties - 1))) % parties : party;
		if (atomic_load(of(peer, BEGUN)) < round) {
			atomic_store(of(party, EARLY_PEER), peer);
			atomic_store(of(party, EARLY), round);
			return EXIT_SAFETY;
		}
		int64_t start = atomic_load(&board[START]), last = atomic_load(&board[LAST]);
		if (round == start) {
			atomic_store(of(party, STARTED), monotonic());
			getrusage(RUSAGE_SELF, &before);
		} else if (round == last) {
			atomic_store(of(party, ENDED), monotonic());
			getrusage(RUSAGE_SELF, &after);
			atomic_store(of(party, CPU), cpu(&after) - cpu(&before));
			atomic_store(of(party, VOLUNTARY), after.ru_nvcsw - before.ru_nvcsw);
			atomic_store(of(party, INVOLUNTARY), after.ru_nivcsw - before.ru_nivcsw);
		} else if (last && round > last) {
			break; /* one more round, so that no exit disturbs the last one */
		}
	}
	close_barrier();
	return 0;
}
