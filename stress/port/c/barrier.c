/*
 * The shared barrier as a port, in C11 with Linux calls: a sample to copy. Section
 * numbers are those of spec/PROTOCOL.md, which says what a barrier must do.
 * spec/PORTS.md says how a port talks to the runner.
 *
 *     cc -std=c11 -O2 -o barrier barrier.c && ./barrier
 *
 * Parts: the segment, the lock, waiting, the call, the conversation. Only the
 * conversation is about ports; any program would use the rest.
 *
 * Each MUTANT_ macro makes one mistake that a port could make, for the tests of
 * the conformance checks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* ---- The segment (section 2) ---- */

/* Three int32 and nothing else. Only a holder of the lock writes them, and the lock
 * orders that. The two polls without the lock need an atomic load and no order
 * (section 7), so every access is relaxed. */
struct words {
#ifdef MUTANT_OTHER_LAYOUT
	_Atomic int32_t exit, enter, flag;
#else
	_Atomic int32_t enter, exit, flag;
#endif
};
_Static_assert(sizeof(struct words) == 12, "the segment is exactly 12 bytes");

enum { NOT_SET = -1, DOWN = 0, UP = 1 };

static struct words *words; /* the mapped segment; NULL: not open */
#if defined MUTANT_LEAK_FILE || defined MUTANT_CLOSE_UNLINKS
static char segment_path[300];
#endif

#define GET(word) atomic_load_explicit(&words->word, memory_order_relaxed)
#define SET(word, v) atomic_store_explicit(&words->word, (v), memory_order_relaxed)

static char failure[512]; /* the text of the last error */

/* whole is the length of the longest part of text, at most most bytes, that ends
 * with a whole character of UTF-8. */
static int whole(const char *text, size_t most)
{
	size_t length = strlen(text);
	if (length <= most)
		return (int)length;
	while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80)
		most--;
	return (int)most;
}

static bool fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(failure, sizeof failure, format, args);
	va_end(args);
	return false;
}

/* segment_attach maps an existing segment and writes nothing to it. */
static bool segment_attach(const char *name)
{
	char path[300];
#ifdef MUTANT_OPEN_ONCE
	static bool tried;
	if (tried)
		return fail("a second try");
	tried = true;
#endif
#ifdef MUTANT_OPEN_ANY_NAME
	if (strlen(name) > 255)
		return fail("%s is no name of a segment", name);
#else
	if (*name == '\0' || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") || strlen(name) > 255)
		return fail("%s is no name of a segment", name);
#endif
#ifdef MUTANT_NAME_100
	snprintf(path, sizeof path, "/dev/shm/%.100s", name);
#else
	snprintf(path, sizeof path, "/dev/shm/%s", name);
#endif
#if defined MUTANT_LEAK_FILE || defined MUTANT_CLOSE_UNLINKS
	strcpy(segment_path, path);
#endif
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
#ifdef MUTANT_OPEN_CREATES
	flags |= O_CREAT;
#endif
#ifdef MUTANT_OPEN_FOLLOWS_LINK
	flags &= ~O_NOFOLLOW;
#endif
	int fd = open(path, flags, 0600);
	if (fd < 0)
		return fail("open %s: %s", path, strerror(errno));
	struct stat st;
	bool whole = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == sizeof *words;
#ifdef MUTANT_OPEN_SIZES
	if (!whole && S_ISREG(st.st_mode) && st.st_size == 0)
		whole = ftruncate(fd, sizeof *words) == 0;
#endif
#ifdef MUTANT_OPEN_TAKES_16
	whole = whole || st.st_size == 16;
#endif
#ifdef MUTANT_OPEN_CHMOD
	fchmod(fd, 0600);
#endif
#ifdef MUTANT_OPEN_TAKES_PAGE
	whole = whole || st.st_size == 4096;
#endif
#ifdef MUTANT_NO_SIZE_CHECK
	whole = true;
#endif
	if (!whole) {
		close(fd);
		return fail("%s is not a file of 12 bytes", path);
	}
#ifdef MUTANT_PRIVATE_MAPPING
	enum { SHARED = MAP_PRIVATE };
#else
	enum { SHARED = MAP_SHARED };
#endif
	void *mapping = mmap(NULL, sizeof *words, PROT_READ | PROT_WRITE, SHARED, fd, 0);
	close(fd);
	if (mapping == MAP_FAILED)
		return fail("map %s: %s", path, strerror(errno));
	words = mapping;
#ifdef MUTANT_OPEN_WRITES_BACK
	int32_t was = GET(enter), left = GET(exit);
	for (volatile int i = 0; i < 2000000; i++) {
	}
	SET(enter, was);
	SET(exit, left);
#endif
	bool constructs = false;
#ifdef MUTANT_OPEN_CONSTRUCTS
	constructs = true;
#endif
#ifdef MUTANT_OPEN_CONSTRUCTS_IDLE
	constructs = GET(enter) == 0;
#endif
#ifdef MUTANT_OPEN_CONSTRUCTS_ZERO
	constructs = GET(enter) == 0 && GET(exit) == 0 && GET(flag) == DOWN;
#endif
	if (constructs) {
		SET(enter, 0);
		SET(exit, NOT_SET);
		SET(flag, UP);
	}
	bool sound = GET(enter) >= 0 && GET(exit) >= NOT_SET && (GET(flag) == DOWN || GET(flag) == UP);
#ifdef MUTANT_NO_WORDS_CHECK
	sound = true;
#endif
	if (sound && (GET(enter) != 0 || GET(exit) != 0 || GET(flag) != DOWN))
		return true;
	munmap(mapping, sizeof *words);
	words = NULL;
	return fail(sound ? "%s is not constructed yet: try again" : "%s has words that are not those of a barrier", path);
}

/* ---- The lock (section 3) ---- */

static char lock_path[4096];
static int lock_fd = -1; /* the locked descriptor; -1: not held */

#ifdef MUTANT_KEEPS_DESCRIPTOR
static int kept = -1; /* open since the last release */
#endif

/* lock_open makes the lock file only if it is missing: in a sticky directory the
 * kernel refuses to open the file of another user with O_CREAT
 * (fs.protected_regular). */
static int lock_open(void)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
#if defined MUTANT_RECORD_LOCK || defined MUTANT_OFD_LOCK || defined MUTANT_BLACK_RECORD_LOCK || defined MUTANT_PID_IN_LOCK || defined MUTANT_TRUNCATE_LOCK
	flags |= O_RDWR;
#endif
#ifdef MUTANT_KEEPS_DESCRIPTOR
	if (kept >= 0) {
		int fd = kept;
		kept = -1;
		return fd;
	}
#endif
#ifdef MUTANT_NO_CLOEXEC
	flags &= ~O_CLOEXEC;
#endif
#ifdef MUTANT_OLD_LOCK_FILE
	static int link = -1; /* a second name of the first file */
	char path[64];
	if (link < 0)
		link = open(lock_path, flags | O_CREAT, 0600);
	snprintf(path, sizeof path, "/proc/self/fd/%d", link);
	return open(path, O_RDWR | O_CLOEXEC);
#endif
#ifdef MUTANT_CREATES_ALWAYS
	return open(lock_path, flags | O_CREAT, 0600);
#endif
	for (;;) {
		int fd = open(lock_path, flags);
		if (fd >= 0 || errno != ENOENT)
			return fd;
		fd = open(lock_path, flags | O_CREAT | O_EXCL, 0600);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
}

/* The mistakes that begin with BLACK are made in black-box mode only. */
static bool paced; /* white-box mode: the runner says when to try again */

/* take makes one attempt to lock a descriptor. It returns 0 or the system's error. */
static int take(int fd)
{
#ifdef MUTANT_RECORD_LOCK
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return fcntl(fd, F_SETLK, &whole) < 0 ? (errno == EACCES || errno == EAGAIN ? EWOULDBLOCK : errno) : 0;
#endif
#ifdef MUTANT_OFD_LOCK
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return fcntl(fd, F_OFD_SETLK, &all) < 0 ? (errno == EACCES || errno == EAGAIN ? EWOULDBLOCK : errno) : 0;
#endif
#ifdef MUTANT_BLACK_RECORD_LOCK
	struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (!paced)
		return fcntl(fd, F_SETLK, &record) < 0 ? (errno == EACCES || errno == EAGAIN ? EWOULDBLOCK : errno) : 0;
#endif
#ifdef MUTANT_BLACK_LOCK_BLOCKS
	if (!paced)
		return flock(fd, LOCK_EX) < 0 ? errno : 0;
#endif
	int how = LOCK_EX;
#ifdef MUTANT_BLACK_SHARED_LOCK
	how = paced ? how : LOCK_SH;
#endif
	while (flock(fd, how | LOCK_NB) < 0)
		if (errno != EINTR)
			return errno;
	return 0;
}

/* lock_try makes one attempt at the lock. It returns 1 if it holds the lock, 0 if
 * another process does, and -1 if it fails. */
static int lock_try(void)
{
#ifdef MUTANT_EXCL_LOCK
	char beside[4200];
	snprintf(beside, sizeof beside, "%s.lock", lock_path);
	lock_fd = open(beside, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	return lock_fd >= 0;
#endif
#ifdef MUTANT_LOCK_ATTEMPTS
	static int attempts;
	if (!paced && ++attempts > 300) {
		attempts = 0;
		fail("no lock after 300 attempts");
		return -1;
	}
#endif
	for (;;) {
		int fd = lock_open();
		if (fd < 0) {
			fail("open %s: %s", lock_path, strerror(errno));
			return -1;
		}
		struct stat st;
		if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
			close(fd);
			fail("%s is not a regular file", lock_path);
			return -1;
		}
		int why = take(fd);
		if (why == 0 && fstat(fd, &st) < 0)
			why = errno;
#ifdef MUTANT_OLD_LOCK_FILE
		st.st_nlink = 1;
#endif
#ifdef MUTANT_NO_LINK_COUNT
		st.st_nlink = 1;
#endif
		if (why == 0 && st.st_nlink > 0) {
			lock_fd = fd;
#ifdef MUTANT_LOCK_ATTEMPTS
			attempts = 0;
#endif
#ifdef MUTANT_HOLDS_LONG
			if (!paced)
				nanosleep(&(struct timespec){0, 100 * 1000 * 1000}, NULL);
#endif
#ifdef MUTANT_PID_IN_LOCK
			dprintf(fd, "%d", (int)getpid());
#endif
#ifdef MUTANT_TRUNCATE_LOCK
			if (ftruncate(fd, 0) < 0)
				return -1;
#endif
			return 1;
		}
		/* A peer has unlinked the file between the open and the flock. The others
		 * will lock another file, so start over. */
		if (why == 0)
			flock(fd, LOCK_UN);
		close(fd);
#ifdef MUTANT_LEAK_ATTEMPT
		if (why == EWOULDBLOCK)
			dup(STDIN_FILENO);
#endif
		if (why == EWOULDBLOCK)
			return 0;
		if (why != 0) {
			fail("flock %s: %s", lock_path, strerror(why));
			return -1;
		}
	}
}

static void lock_release(void)
{
	if (lock_fd < 0)
		return;
#ifdef MUTANT_EXCL_LOCK
	char beside[4200];
	snprintf(beside, sizeof beside, "%s.lock", lock_path);
	unlink(beside);
#endif
#ifdef MUTANT_UNLINK_ON_RELEASE
	unlink(lock_path);
#endif
#ifdef MUTANT_KEEPS_DESCRIPTOR
	kept = lock_fd;
	flock(lock_fd, LOCK_UN);
	lock_fd = -1;
	return;
#endif
#ifndef MUTANT_CLOSE_ONLY
	flock(lock_fd, LOCK_UN); /* closing alone is not enough if a child has inherited it */
#endif
#ifndef MUTANT_LEAK_DESCRIPTOR
	close(lock_fd);
#endif
	lock_fd = -1;
}

/* ---- Waiting (section 8) ---- */

/* word_wait sleeps while *word is v, for at most a tick, since a peer that changes
 * the word may wake no process. The futex is shared between processes, so there is
 * no FUTEX_PRIVATE_FLAG. */
static void word_wait(_Atomic int32_t *word, int32_t v)
{
	if (paced)
		return;
	struct timespec tick = {0, 7 * 1000 * 1000};
#ifdef MUTANT_SLOW_TICK
	tick.tv_sec = 3;
#endif
#ifdef MUTANT_SLOW_POLL
	tick.tv_nsec = 100 * 1000 * 1000;
#endif
#ifdef MUTANT_BUSY_WAIT
	return;
#endif
	syscall(SYS_futex, word, FUTEX_WAIT, v, &tick, NULL, 0);
}

static void word_wake(_Atomic int32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static void lock_wait(void)
{
	if (paced)
		return;
	struct timespec nap = {0, 50 * 1000};
#ifdef MUTANT_LOCK_NAPS_GROW
	static long naps = 25 * 1000;
	naps = naps < 400 * 1000 * 1000 ? 2 * naps : naps;
	nap.tv_nsec = naps;
#endif
	nanosleep(&nap, NULL);
}

/* ---- The call (sections 4 and 5) ---- */

#define STEPS(STEP)                                                                   \
	STEP(Call) STEP(LockInit) STEP(InitExit) STEP(UnlockInit) STEP(LockEnter)     \
	STEP(TestFirst) STEP(UnlockFirst) STEP(AwaitDrain) STEP(LockFirst)            \
	STEP(LowerFlag) STEP(CountEnter) STEP(ResetEnter) STEP(ResetExit)             \
	STEP(RaiseFlag) STEP(UnlockEnter) STEP(AwaitFlag) STEP(LockExit)              \
	STEP(CountExit) STEP(ClearExit) STEP(UnlockExit) STEP(LockWithdraw)           \
	STEP(TestFlag) STEP(UncountEnter) STEP(UnlockWithdraw)

#define NAME(step) step,
#define LABEL(step) #step,
enum step { STEPS(NAME) };
static const char *const labels[] = {STEPS(LABEL)};

enum outcome { RETURNED, WITHDRAWN, ABANDONED, FAILED };

/* What the caller wants before a step, and again after a step has blocked. A
 * program that is no port has a flag here, a deadline, or nothing. */
enum wish { GO_ON, GIVE_UP, ABANDON };
static enum wish before(enum step at); /* any step: announces it */
static void before_write(enum step at); /* the second half of a step that reads and writes */

static bool is_acquire(enum step at)
{
	return at == LockInit || at == LockEnter || at == LockFirst || at == LockExit || at == LockWithdraw;
}

static bool is_poll(enum step at) { return at == AwaitDrain || at == AwaitFlag; }

/* Where the end of its context has an effect on the call. */
static bool is_withdrawable(enum step at)
{
#ifdef MUTANT_BLACK_WITHDRAW_EXIT
	if (at == LockExit && !paced)
		return true;
#endif
	return at == LockInit || at == LockEnter || at == LockFirst || is_poll(at);
}

/* plus adds to a word and wraps. A peer may have left any value there, and overflow
 * is undefined for int32_t but not for uint32_t. */
static int32_t plus(int32_t word, int32_t v) { return (int32_t)((uint32_t)word + (uint32_t)v); }

/* out_of_range ends a call that finds words out of range for n parties. */
static enum outcome out_of_range(int32_t n)
{
	fail("words are out of range for %d parties: enter=%d exit=%d flag=%d", n, GET(enter), GET(exit), GET(flag));
#ifndef MUTANT_KEEP_LOCK_ON_ERROR
	lock_release();
#endif
	return FAILED;
}

#ifdef MUTANT_LEAK_THREAD
static int idle(void *unused)
{
	(void)unused;
	return pause();
}
#endif

/* after returns next, the step that follows one that was taken. The mistakes of
 * model.Mutants that leave steps out, or take them in another order, go on to
 * another step instead. */
static enum step after(enum step taken, enum step next)
{
#define TURN(from, to, instead) \
	if (taken == from && next == to) \
		return instead
#ifdef MUTANT_NO_LOCK_INIT
	TURN(Call, LockInit, InitExit);
#endif
#ifdef MUTANT_NO_INIT_EXIT
	TURN(LockInit, InitExit, UnlockInit);
#endif
#ifdef MUTANT_KEEP_LOCK_INIT
	TURN(InitExit, UnlockInit, LockEnter);
#endif
#ifdef MUTANT_NO_LOCK_ENTER
	TURN(UnlockInit, LockEnter, TestFirst);
#endif
#ifdef MUTANT_NEVER_FIRST
	TURN(TestFirst, UnlockFirst, CountEnter);
#endif
#ifdef MUTANT_ALWAYS_FIRST
	TURN(TestFirst, CountEnter, UnlockFirst);
#endif
#ifdef MUTANT_DRAIN_LOCKED
	TURN(TestFirst, UnlockFirst, AwaitDrain);
	TURN(AwaitDrain, LockFirst, LowerFlag);
#endif
#ifdef MUTANT_NO_DRAIN
	TURN(UnlockFirst, AwaitDrain, LockFirst);
#endif
#ifdef MUTANT_TEST_AGAIN
	TURN(UnlockFirst, AwaitDrain, LockEnter);
#endif
#ifdef MUTANT_NO_LOCK_FIRST
	TURN(AwaitDrain, LockFirst, LowerFlag);
#endif
#ifdef MUTANT_LOWER_UNLOCKED
	TURN(AwaitDrain, LockFirst, LowerFlag);
	TURN(LowerFlag, CountEnter, LockFirst);
	TURN(LockFirst, LowerFlag, CountEnter);
#endif
#ifdef MUTANT_NO_LOWER
	TURN(LockFirst, LowerFlag, CountEnter);
#endif
#ifdef MUTANT_NO_RESET_ENTER
	TURN(CountEnter, ResetEnter, ResetExit);
#endif
#ifdef MUTANT_NO_RESET_EXIT
	TURN(ResetEnter, ResetExit, RaiseFlag);
#endif
#ifdef MUTANT_NO_RAISE
	TURN(ResetExit, RaiseFlag, UnlockEnter);
#endif
#ifdef MUTANT_RAISE_BEFORE_RESET
	TURN(ResetEnter, ResetExit, RaiseFlag);
	TURN(RaiseFlag, UnlockEnter, ResetExit);
	TURN(ResetExit, RaiseFlag, UnlockEnter);
#endif
#ifdef MUTANT_KEEP_LOCK_ENTER
	TURN(CountEnter, UnlockEnter, AwaitFlag);
	TURN(RaiseFlag, UnlockEnter, AwaitFlag);
#endif
#ifdef MUTANT_NO_AWAIT_FLAG
	TURN(UnlockEnter, AwaitFlag, LockExit);
#endif
#ifdef MUTANT_NO_LOCK_EXIT
	TURN(AwaitFlag, LockExit, CountExit);
#endif
#ifdef MUTANT_NO_COUNT_EXIT
	TURN(LockExit, CountExit, UnlockExit);
#endif
#ifdef MUTANT_NO_CLEAR_EXIT
	TURN(CountExit, ClearExit, UnlockExit);
#endif
#ifdef MUTANT_NO_LOCK_WITHDRAW
	TURN(AwaitFlag, LockWithdraw, TestFlag);
#endif
#ifdef MUTANT_NO_TEST_FLAG
	TURN(LockWithdraw, TestFlag, UncountEnter);
#endif
#ifdef MUTANT_WITHDRAW_ANYWAY
	TURN(TestFlag, CountExit, UnlockWithdraw);
#endif
#ifdef MUTANT_NO_UNCOUNT
	TURN(TestFlag, UncountEnter, UnlockWithdraw);
#endif
	(void)taken;
	return next;
}

/* call makes one call with party count n. It has one case for each step, in the
 * order of the tables. After a step that blocks, at stays as it is for another
 * attempt. */
static enum outcome call(int32_t n)
{
	int32_t v;
#ifdef MUTANT_STALE_COUNT
	int32_t stale = 0;
#endif
#ifdef MUTANT_FIRST_COUNT
	static int32_t first;
	first = first == 0 ? n : first;
	n = first;
#endif
#ifdef MUTANT_COUNT_8_BITS
	n = (uint8_t)n;
#endif
#ifdef MUTANT_LEAK_MEMORY
	static char *volatile leak;
	leak = calloc(1, 1 << 20);
	(void)leak;
#endif
#ifdef MUTANT_LEAK_THREAD
	thrd_t thread;
	thrd_create(&thread, idle, NULL);
#endif
#ifdef MUTANT_CALL_SKIPPED
	static uint8_t round;
	if (++round == 0)
		return RETURNED;
#endif
#ifdef MUTANT_LEAK_FILE
	static int made;
	char left[330];
	snprintf(left, sizeof left, "%s.%d", segment_path, made++);
	close(open(left, O_RDWR | O_CREAT, 0600));
#endif
#ifdef MUTANT_CALL_LIMIT
	static int calls;
	if (++calls > 40000) {
		fail("no more calls");
		return FAILED;
	}
#endif
#if defined MUTANT_FEW_LOOKS || defined MUTANT_WAIT_LIMIT || defined MUTANT_WAIT_ENOUGH
	int looks = 0;
#endif
#if defined MUTANT_WAIT_LIMIT || defined MUTANT_WAIT_ENOUGH
	time_t began = time(NULL);
#endif
#ifdef MUTANT_BLACK_WITHDRAWN_COMPLETE
	bool gave_up = false;
#endif
	for (enum step at = Call;;) {
		switch (before(at)) {
		case GO_ON:
			break;
		case GIVE_UP:
#ifdef MUTANT_BLACK_WITHDRAW_DRAIN
			if (!paced && at == AwaitDrain) {
				at = LockWithdraw;
				continue;
			}
#endif
#ifdef MUTANT_BLACK_WITHDRAWN_COMPLETE
			gave_up = !paced;
#endif
			if (at != AwaitFlag)
				return WITHDRAWN;
			at = after(at, LockWithdraw);
			continue;
		case ABANDON:
#ifdef MUTANT_UNCOUNTED_ABANDON
			SET(enter, 0);
#endif
			return ABANDONED;
		}
#ifdef MUTANT_BLACK_WITHDRAW_UNLOCKED
		if (at == LockWithdraw && !paced) {
			at = TestFlag;
			continue;
		}
#endif
#ifdef MUTANT_BLACK_NO_LOCK_ENTER
		if (at == LockEnter && !paced) {
			at = TestFirst;
			continue;
		}
#endif
#ifdef MUTANT_BLACK_NO_LOCK_EXIT
		if (at == LockExit && !paced) {
			at = CountExit;
			continue;
		}
#endif
#ifdef MUTANT_STALE_COUNT
		if (at == LockEnter || at == LockFirst || at == LockExit)
			stale = at == LockExit ? GET(exit) : GET(enter);
#endif
		if (is_acquire(at)) {
			int got = lock_try();
			if (got < 0)
				return FAILED;
			if (got == 0) {
				lock_wait();
				continue;
			}
		}
		enum step taken = at;
		switch (at) {
		case Call:
			at = LockInit;
			break;
		case LockInit:
			at = InitExit;
			break;
		case InitExit:
			v = GET(exit);
#ifndef MUTANT_NO_EXIT_CHECK
			if (v < NOT_SET || v > n)
				return out_of_range(n);
#endif
			before_write(at);
			if (v == NOT_SET) {
				SET(exit, n);
				word_wake(&words->exit);
			}
#ifdef MUTANT_INIT_EXIT_ALWAYS
			SET(exit, n);
#endif
			at = UnlockInit;
			break;
		case UnlockInit:
			lock_release();
			at = LockEnter;
			break;
		case LockEnter:
			at = TestFirst;
			break;
		case TestFirst:
			v = GET(enter);
#ifndef MUTANT_NO_ENTER_CHECK
			if (v < 0 || v > n)
				return out_of_range(n);
#endif
			at = v == 0 ? UnlockFirst : CountEnter;
			break;
		case UnlockFirst:
			lock_release();
			at = AwaitDrain;
			break;
		case AwaitDrain:
			v = GET(exit);
#ifdef MUTANT_BLACK_LOWER_UNLOCKED
			if (v == n && !paced)
				SET(flag, DOWN);
#endif
#ifdef MUTANT_BURNS_DRAINING
			if (v != n)
				continue;
#endif
			if (v == n)
				at = LockFirst;
			else
				word_wait(&words->exit, v);
			break;
		case LockFirst:
			at = LowerFlag;
			break;
		case LowerFlag:
			SET(flag, DOWN);
			at = CountEnter;
			break;
		case CountEnter:
			v = plus(GET(enter), 1);
#ifdef MUTANT_STALE_COUNT
			v = paced ? v : plus(stale, 1);
#endif
			before_write(at);
			SET(enter, v);
#ifdef MUTANT_COUNT_ENTER_EARLY
			v = plus(v, 1);
#endif
#ifdef MUTANT_COUNT_ENTER_LATE
			v = plus(v, -1);
#endif
#ifdef MUTANT_FOUR_OF_FIVE
			v = v == 4 && n > 4 ? n : v;
#endif
			at = v == n ? ResetEnter : UnlockEnter;
			break;
		case ResetEnter:
			SET(enter, 0);
			at = ResetExit;
			break;
		case ResetExit:
			SET(exit, 0);
#ifdef MUTANT_RESET_EXIT_ONE
			SET(exit, 1);
#endif
			at = RaiseFlag;
			break;
		case RaiseFlag:
			SET(flag, UP);
#ifdef MUTANT_RAISE_TWO
			SET(flag, 2);
#endif
			word_wake(&words->flag);
			at = UnlockEnter;
			break;
		case UnlockEnter:
			lock_release();
			at = AwaitFlag;
			break;
		case AwaitFlag:
			v = GET(flag);
#ifdef MUTANT_BLACK_AWAIT_ENTER
			v = paced ? v : GET(enter) == 0;
#endif
#ifdef MUTANT_FEW_LOOKS
			v = ++looks > 200 ? UP : v;
#endif
#ifdef MUTANT_WAIT_ENOUGH
			v = looks++ > 0 && time(NULL) - began > 2 ? UP : v;
#endif
#ifdef MUTANT_WAIT_LIMIT
			if (looks++ > 0 && time(NULL) - began > 2) {
				fail("the peers do not come");
				return FAILED;
			}
#endif
			if (v != DOWN)
				at = LockExit;
			else
				word_wait(&words->flag, v);
			break;
		case LockExit:
			at = CountExit;
			break;
		case CountExit:
			v = plus(GET(exit), 1);
#ifdef MUTANT_STALE_COUNT
			v = paced ? v : plus(stale, 1);
#endif
			before_write(at);
			SET(exit, v);
#ifdef MUTANT_COUNT_EXIT_EARLY
			v = plus(v, 1);
#endif
			at = v == n ? ClearExit : UnlockExit;
			break;
		case ClearExit:
			SET(exit, NOT_SET);
#ifdef MUTANT_CLEAR_TO_ZERO
			SET(exit, 0);
#endif
			at = UnlockExit;
			break;
		case UnlockExit:
			lock_release();
#ifdef MUTANT_BLACK_WITHDRAWN_COMPLETE
			if (gave_up)
				return WITHDRAWN;
#endif
			return RETURNED;
		case LockWithdraw:
			at = TestFlag;
			break;
		case TestFlag:
			at = GET(flag) != DOWN ? CountExit : UncountEnter;
#ifdef MUTANT_BLACK_NO_TEST_FLAG
			at = paced ? at : UncountEnter;
#endif
			break;
		case UncountEnter:
			SET(enter, plus(GET(enter), -1));
#ifdef MUTANT_UNCOUNT_TO_ZERO
			SET(enter, 0);
#endif
#ifdef MUTANT_BLACK_UNCOUNT_ALL
			if (!paced)
				SET(enter, 0);
#endif
			at = UnlockWithdraw;
			break;
		case UnlockWithdraw:
			lock_release();
			return WITHDRAWN;
		}
		at = after(taken, at);
	}
}

/* ---- The conversation (spec/PORTS.md) ---- */

static enum { BLACK, WHITE, SPLIT_RMW } mode;

static void say(const char *word, const char *rest)
{
	if (printf("%s%s%.*s\n", word, *rest ? " " : "", whole(rest, 500), rest) < 0 || fflush(stdout) != 0)
		_exit(2); /* the runner is gone */
}

/* Requests are read without stdio, because a call must look whether one has come. */
static char request[8192];

/* next_request reads the next request into request. It returns false if none has
 * come and wait is not set. At the end of the input it ends the process; the kernel
 * frees the lock. */
static bool next_request(bool wait)
{
	static size_t length; /* of what has come so far */
	for (;;) {
		struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
#ifdef MUTANT_LOST_IN_BUFFER
		static char buffer[8192];
		static ssize_t got_all, next;
		if (!wait && poll(&in, 1, 0) == 0)
			return false;
		if (next == got_all) {
			got_all = read(STDIN_FILENO, buffer, sizeof buffer);
			next = 0;
		}
		ssize_t got = got_all > 0;
		char c = got ? buffer[next++] : 0;
#else
		if (!wait && poll(&in, 1, 0) == 0)
			return false;
		char c;
		ssize_t got = read(STDIN_FILENO, &c, 1);
#endif
		if (got < 0 && errno == EINTR)
			continue;
#ifdef MUTANT_NO_END
		while (got == 0)
			pause();
#endif
		if (got <= 0)
			_exit(0);
		if (c != '\n') {
			if (length < sizeof request)
				request[length++] = c;
			continue;
		}
		bool fits = length < sizeof request;
		request[fits ? length : 0] = '\0';
		length = 0;
		if (fits)
			return true;
		say("error", "the request is too long");
	}
}

static void out_of_place(void)
{
#ifdef MUTANT_LONG_ERROR
	printf("error no request: %s\n", request);
	fflush(stdout);
	return;
#endif
	fail("%.*s is not in place here, or no request", whole(request, 80), request);
	say("error", failure);
}

static bool ends_call(void) { return !strcmp(request, "giveup") || !strcmp(request, "abandon"); }

/* wished parses the request to a call that is at a step. */
static bool wished(enum step at, enum wish *wish)
{
	if (!strcmp(request, "go") && mode != BLACK)
		*wish = GO_ON;
#ifdef MUTANT_WHITE_GIVEUP
	else if (!strcmp(request, "giveup") && mode != BLACK && !is_acquire(at))
		*wish = at == AwaitFlag || at == AwaitDrain ? GIVE_UP : GO_ON;
#endif
	else if (!strcmp(request, "giveup") && is_withdrawable(at))
		*wish = GIVE_UP;
	else if (!strcmp(request, "abandon") && is_poll(at))
		*wish = ABANDON;
	else
		return false;
	return true;
}

static bool pending; /* black-box mode: the request ends the call at a later step */

static enum wish before(enum step at)
{
	enum wish wish = GO_ON;
	if (mode == BLACK) {
		while ((is_acquire(at) || is_poll(at)) && !pending && next_request(false)) {
			pending = ends_call();
#ifndef MUTANT_NO_REFUSAL
#ifdef MUTANT_CLOSE_IN_CALL
			if (!strcmp(request, "close")) {
				say("closed", "");
				exit(0);
			}
#endif
			if (!pending)
				out_of_place();
#endif
		}
		if (pending && wished(at, &wish))
			pending = false;
		return wish;
	}
	say("at", labels[at]);
	while (next_request(true) && !wished(at, &wish))
		out_of_place();
	return wish;
}

static void before_write(enum step at)
{
	if (mode == SPLIT_RMW)
		before(at);
}

static void do_call(const char *argument)
{
	char *end;
	errno = 0;
	long n = strtol(argument, &end, 10);
#ifdef MUTANT_WIDE_COUNT
	n = n > INT32_MAX ? INT32_MAX : n;
#endif
	if (errno != 0 || *argument == '\0' || *end != '\0' || n < 1 || n > INT32_MAX) {
		fail("call %.*s: want a party count of at least 1", whole(argument, 80), argument);
		say("error", failure);
		return;
	}
	static const char *const answers[] = {"returned", "withdrawn", "abandoned", "error"};
	enum outcome outcome = call((int32_t)n);
#ifndef MUTANT_LATE_GIVEUP
	pending = false; /* it crossed with the answer */
#endif
	say(answers[outcome], outcome == FAILED ? failure : "");
}

#ifdef MUTANT_KEEPS_DESCRIPTOR
/* For scenario fork of HAZARDS.md: when this port has opened the barrier, it forks the
 * other parties. They talk through the named pipes in.1 and out.1, in.2 and so on. They
 * use the handle of their parent, or each opens one of its own. */
static struct {
	const char *directory; /* of the pipes; NULL: this port does not fork */
	int parties;
	bool own;
	struct words *inherited; /* in a child that does not open its own */
} forks;

/* fork_parties returns true in the children. */
static bool fork_parties(void)
{
	if (lock_try() == 1)
		lock_release(); /* and keeps the descriptor */
	for (int i = 1; i < forks.parties; i++) {
		if (fork() != 0)
			continue;
		char path[4200];
		snprintf(path, sizeof path, "%s/in.%d", forks.directory, i);
		int in = open(path, O_RDONLY);
		snprintf(path, sizeof path, "%s/out.%d", forks.directory, i);
		int out = open(path, O_WRONLY);
		if (in < 0 || out < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
			_exit(1);
		close(in);
		close(out);
		forks.directory = NULL;
		if (forks.own) {
			munmap(words, sizeof *words);
			close(kept);
			kept = -1;
		} else {
			forks.inherited = words;
		}
		words = NULL;
		mode = BLACK;
		paced = false;
		return true;
	}
	return false;
}
#endif

static void hello(void) { say("port 1 white withdraw abandon splitRMW", ""); }

static void do_open(char *argument)
{
#ifdef MUTANT_KEEPS_DESCRIPTOR
	if (forks.inherited != NULL) {
		words = forks.inherited;
		say("opened", "");
		return;
	}
#endif
	char *path = strchr(argument, ' ');
	if (path == NULL || strlen(path + 1) >= sizeof lock_path) {
		say("error", "open: want NAME LOCKPATH");
		return;
	}
	*path++ = '\0';
	strcpy(lock_path, path);
#ifdef MUTANT_PATH_TO_SPACE
	lock_path[strcspn(lock_path, " ")] = '\0';
#endif
#ifdef MUTANT_PATH_1024
	lock_path[strnlen(lock_path, 1024)] = '\0';
#endif
#ifdef MUTANT_PATH_PERCENT
	for (char *at = lock_path; (at = strchr(at, '%')) != NULL; at++) {
		unsigned byte;
		if (sscanf(at + 1, "%2x", &byte) == 1) {
			*at = (char)byte;
			memmove(at + 1, at + 3, strlen(at + 3) + 1);
		}
	}
#endif
#ifdef MUTANT_OPEN_NEEDS_LOCK
	if (access(lock_path, F_OK) != 0) {
		say("error", "there is no lock file");
		return;
	}
#endif
#ifdef MUTANT_PATH_ASCII
	char *to = lock_path;
	for (const char *from = path; *from != '\0'; from++)
		if ((unsigned char)*from < 128)
			*to++ = *from;
	*to = '\0';
#endif
	bool opened = segment_attach(argument);
#ifdef MUTANT_KEEPS_DESCRIPTOR
	if (opened && forks.directory != NULL && fork_parties()) {
		hello();
		return;
	}
#endif
	if (opened)
		say("opened", "");
	else
		say("error", failure);
}

int main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
#ifdef MUTANT_KEEPS_DESCRIPTOR
	if (argc == 4) { /* inherited|own DIRECTORY PARTIES */
		forks.own = !strcmp(argv[1], "own");
		forks.directory = argv[2];
		forks.parties = atoi(argv[3]);
	}
#endif
	hello();
	for (;;) {
		next_request(true);
		bool white = !strcmp(request, "white"), split = !strcmp(request, "splitRMW");
		if ((white || split) && words == NULL) {
			mode = white ? WHITE : SPLIT_RMW;
			paced = true;
			say("ok", "");
#ifdef MUTANT_SECOND_OPEN
		} else if (!strncmp(request, "open ", 5) && words != NULL) {
			do_open(request + 5);
#endif
		} else if (!strncmp(request, "open ", 5) && words == NULL) {
			do_open(request + 5);
		} else if (!strncmp(request, "call ", 5) && words != NULL) {
			do_call(request + 5);
		} else if (!strcmp(request, "close") && words != NULL) {
#ifdef MUTANT_CLOSE_UNLINKS
			unlink(segment_path);
#endif
#ifdef MUTANT_CLOSE_RESETS
			SET(enter, 0);
			SET(exit, NOT_SET);
			SET(flag, UP);
#endif
			munmap(words, sizeof *words);
			say("closed", "");
#ifdef MUTANT_KEEPS_DESCRIPTOR
			while (wait(NULL) > 0) /* the end of this port ends those that it has forked */
				;
#endif
			return 0;
		} else if (mode == BLACK && words != NULL && ends_call()) {
			/* It crossed with the answer of its call. */
#ifdef MUTANT_LATE_GIVEUP
			pending = true;
#endif
		} else {
			out_of_place();
		}
	}
}
